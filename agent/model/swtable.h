/* agent/model/swtable.h: all rows of one switch as the engine keeps them, in little memory: of the MAC table there are millions.
 * What its rows say besides the MAC repeats from row to row and is kept once; the other rows stay packed. */
#ifndef CAMTRAPD_SWTABLE_H
#define CAMTRAPD_SWTABLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/rows.h"
#include "model/rowset.h"

/* All but the MAC of a row, as in struct row_fdb. */
struct fdb_said { uint32_t if_index, bridge_port; uint16_t vlan; uint8_t status, table; };
struct fdb_entry { struct mac mac; uint8_t said[3]; };	/* a number, big-endian: which of fdb.said */
_Static_assert(sizeof(struct fdb_entry) == 9, "there are millions of them");

/* The MAC table, in the order of packed rows: by MAC, VLAN, port. Equal rows are one. */
struct fdb {
	struct fdb_entry	*v;
	size_t			 n;
	struct fdb_said		*said;		/* each once, in the order of their first row: equal tables are equal octet for octet */
	size_t			 n_said;
};

/* Zero it to make an empty one. */
struct swtable {
	struct fdb	fdb;
	struct rowset	rest;			/* rows of all other kinds */
};

/* Row `i` of the MAC table. */
static inline struct row_fdb
fdb_row(const struct fdb *t, size_t i)
{
	const struct fdb_entry *e = &t->v[i];
	const struct fdb_said *s = &t->said[(size_t)e->said[0] << 16 | (size_t)e->said[1] << 8 | e->said[2]];

	return (struct row_fdb){ .mac = e->mac, .vlan = s->vlan, .if_index = s->if_index, .bridge_port = s->bridge_port, .status = s->status,
		.table = s->table };
}

/* Of this run, before the first table: without one a switch could choose ports that crowd where they are looked for. */
void	swtable_seed(uint64_t seed);
void	swtable_free(struct swtable *t);		/* and makes it empty */
/* From the rows of a poll or of the database, which it takes over; those of the MAC table that are none are left out and counted.
 * 0 or -ENOMEM; then *out is empty, and `rows` is still the caller's. */
int	swtable_of(struct swtable *out, struct rowset *rows, uint64_t *bad);
size_t	swtable_count(const struct swtable *t);	/* rows */
bool	swtable_same(const struct swtable *a, const struct swtable *b);
/* Adds those rows of `before` to `now` whose kind has no bit in `complete`: an incomplete table adds and never removes. 0 or -ENOMEM;
 * then `now` is as it was or has some of them. */
int	swtable_keep(struct swtable *now, const struct swtable *before, unsigned complete);
/* The blob of the database: rowset_pack() of all rows. */
void	swtable_pack(const struct swtable *t, struct buf *out);

/* Calls `removed` for rows of `before` that are not in `after`, `added` for the reverse. */
typedef void fdb_diff_fn(void *arg, const struct row_fdb *f);
void	fdb_diff(const struct fdb *before, const struct fdb *after, fdb_diff_fn *removed, fdb_diff_fn *added, void *arg);
#endif
