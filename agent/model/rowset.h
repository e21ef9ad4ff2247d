/* agent/model/rowset.h: the current table of one switch: a sorted set of packed rows in one run of memory.
 * A poll makes one, the engine holds it against the one before, the database stores it as one blob. */
#ifndef CAMTRAPD_ROWSET_H
#define CAMTRAPD_ROWSET_H
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Zero it to make an empty one. `bytes`: for each row two octets of length and the packed row, in ascending order. */
struct rowset {
	struct buf	bytes;
	size_t		count;
};

/* One row, borrowed from its set. */
struct row_ref { const uint8_t *p; size_t n; };

void	rowset_free(struct rowset *s);		/* and makes it empty */
/* From packed rows (row_pack) in any order, which are copied; equal rows become one. `rows` is sorted in place. 0 or -ENOMEM. */
int	rowset_build(struct rowset *out, struct row_ref *rows, size_t n);
/* From bytes of another process or the database: checks lengths, kinds and order, not what is in the rows. 0, -EBADMSG, -ENOMEM. */
int	rowset_load(struct rowset *out, const void *bytes, size_t n);
/* The same with the buffer itself, which is empty then; if it is refused it stays the caller's. 0 or -EBADMSG. */
int	rowset_take(struct rowset *out, struct buf *bytes);

/* Walks a set: start with *at = 0; false at the end. */
int	rowset_next(const struct rowset *s, size_t *at, struct row_ref *out);

/* Calls `removed` for rows of `before` that are not in `after`, `added` for the reverse. */
typedef void rowset_diff_fn(void *arg, struct row_ref row);
void	rowset_diff(const struct rowset *before, const struct rowset *after, rowset_diff_fn *removed, rowset_diff_fn *added, void *arg);

/* Adds those rows of `before` to `now` whose kind has no bit in `complete`: an incomplete table adds and never removes. 0 or -ENOMEM;
 * then `now` is as it was. */
int	rowset_keep(struct rowset *now, const struct rowset *before, unsigned complete);

/* The blob of the database: version, count, bytes, CRC-32. */
void	rowset_pack(const struct rowset *s, struct buf *out);
int	rowset_unpack(const void *blob, size_t n, struct rowset *out);	/* 0, -EBADMSG, -ENOMEM */
#endif
