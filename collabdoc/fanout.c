/* One frame to many sockets, in one call of the system for each and nothing in between (see fanout.py). */

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

/* To the descriptors that `table` has for each of `seats`. Returns how many peers did not take all of the frame; so many
 * of `places` are then where these stand in `seats`, and as many of `took` what each took, or minus the number of the
 * error: `EBADF` for a descriptor below 0. */
int collabdoc_send_to_seats(const int *table, const int *seats, int count, const char *frame, size_t length,
                            int *places, int *took)
{
    int untaken = 0;
    for (int place = 0; place < count; place++) {
        int descriptor = table[seats[place]];
        ssize_t sent = descriptor < 0 ? -1 : send(descriptor, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent == (ssize_t)length)
            continue;
        took[untaken] = descriptor < 0 ? -EBADF : sent < 0 ? -errno : (int)sent;
        places[untaken] = place;
        untaken++;
    }
    return untaken;
}
