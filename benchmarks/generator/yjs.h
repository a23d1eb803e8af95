/* Yjs updates, v1: written as a client that types at the end of its own text, read for who inserted how much. */
#ifndef YJS_H
#define YJS_H

#include "buffer.h"

/* Called for each run of inserted characters: `length` of them, from `clock` on. */
typedef void (*yjs_visitor)(void *context, uint64_t client, uint64_t clock, uint64_t length);

/* One character appended to the text "content", after this client's own previous one. */
void yjs_add_edit(struct buffer *out, uint64_t client, uint64_t clock);

/* 0 where the update is not one that a document of plain text makes. */
int yjs_walk(struct reader update, yjs_visitor visit, void *context);

#endif
