/* One frame to many sockets, in one call of the system for each and nothing in between (see fanout.py). */

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

/* Returns how many peers did not take all of the frame. So many of `descriptors` are then the places where these stood
 * in it, and as many of `took` what each took, or minus the number of the error: `EBADF` for a descriptor below 0. */
int collabdoc_send_to_each(int *descriptors, int count, const char *frame, size_t length, int *took)
{
    int untaken = 0;
    for (int place = 0; place < count; place++) {
        int descriptor = descriptors[place];
        ssize_t sent = descriptor < 0 ? -1 : send(descriptor, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent == (ssize_t)length)
            continue;
        took[untaken] = descriptor < 0 ? -EBADF : sent < 0 ? -errno : (int)sent;
        descriptors[untaken] = place; /* no later than where it is read */
        untaken++;
    }
    return untaken;
}
