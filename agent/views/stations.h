/* agent/views/stations.h: the engine's answer to `find` on its way to a client. The engine knows what switches show now; what
 * the store knows beside it is put in here, station by station, so that a million of them never stand in memory as one text. */
#ifndef CAMTRAPD_VIEWS_STATIONS_H
#define CAMTRAPD_VIEWS_STATIONS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct store;
struct stations;			/* one answer; opaque */

#define FIND_ARGUMENT 256

/* What a person typed, as the engine wants it: a whole MAC and an IP address in their canonical spelling, all else as it is. */
void		 find_argument(const char *typed, char out[static FIND_ARGUMENT]);

/* `argument` as above; with `all` no device is added that no switch shows. Reads which devices are restricted.
 * NULL: out of memory, or the store cannot be read (*store_failed). The caller frees it. */
struct stations	*stations_new(struct store *s, const char *argument, bool all, bool *store_failed);
/* A piece of the engine's document in, what can be sent now is appended to `out`. `s` NULL: the store is gone, no history is added. */
void		 stations_piece(struct stations *st, struct store *s, const void *p, size_t n, struct buf *out);
void		 stations_free(void *st);	/* a struct stations *; NULL is fine */
#endif
