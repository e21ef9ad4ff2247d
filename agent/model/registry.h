/* agent/model/registry.h: who an address block was assigned to: IEEE MA-L (24 bits), MA-M (28), MA-S (36); the longest wins.
 * Read from the IEEE's CSV files (oui.csv; mam.csv and oui36.csv beside it are read too) and Wireshark's `manuf`. */
#ifndef CAMTRAPD_REGISTRY_H
#define CAMTRAPD_REGISTRY_H
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/mac.h"

struct registry;			/* opaque, immutable after loading */

struct registry_match {
	const char	*organisation;	/* as registered; borrowed; NULL: no entry, or locally administered, or a group address */
	unsigned	 bits;		/* 24, 28, 36; 0 none */
	const char	*file;		/* where it stood; borrowed */
};

struct registry_file {
	const char	*path;		/* borrowed */
	struct wall	 dated;		/* the data's own date where the file tells it, else its modification time */
	size_t		 entries, refused;	/* lines used; lines that are no assignment */
};

/* Reads all files; where two name the same block, the newest dated file wins. A missing file is in *missing (count) and
 * a warning, not an error. NULL: out of memory. The caller frees it. */
struct registry	*registry_load(const char *const *paths, size_t n, size_t *missing);
void		 registry_free(struct registry *r);	/* NULL is fine */
/* After registry_finish(). NULL, a group address or a locally administered one: nothing. */
struct registry_match registry_lookup(const struct registry *r, struct mac m);
/* Borrowed, *count of them, in the order read. */
const struct registry_file *registry_files(const struct registry *r, size_t *count);

/* For tests and fuzzing: an empty one (NULL: out of memory), then: parses one file's text already in memory (for tests and fuzzing): adds it under `path`. 0, -EINVAL: not a known format, -ENOMEM. */
struct registry	*registry_new(void);
int		 registry_add(struct registry *r, const char *path, const char *text, size_t n, struct wall dated);
int		 registry_finish(struct registry *r);	/* sorts, before the first look-up; 0 or -ENOMEM */
#endif
