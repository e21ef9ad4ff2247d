/* agent/base/map.h: from a number of 64 bits to a pointer: switches by key, findings by MAC, owners of addresses. Texts are
 * mapped by their hash (hash_bytes), and the reader compares the text. Open addressing; no order. */
#ifndef CAMTRAPD_MAP_H
#define CAMTRAPD_MAP_H
#include <stddef.h>
#include <stdint.h>

struct map_slot { uint64_t key; void *value; };	/* value NULL: free */

/* Zero it to make an empty one. Values are borrowed. */
struct map {
	struct map_slot	*slots;
	size_t		 size, count;
	uint64_t	 seed;		/* where keys come from strangers: a secret of this run, set before the first put */
};

void	 map_free(struct map *m);	/* the table, not the values; and makes it empty */
/* NULL: not there. */
void	*map_get(const struct map *m, uint64_t key);
/* Adds or replaces; `value` is not NULL. 0, or -ENOMEM with the map untouched. */
int	 map_put(struct map *m, uint64_t key, void *value);
void	 map_del(struct map *m, uint64_t key);	/* nothing happens when it is not there */
/* Where a search for `key` begins in any table of `size` slots, which need be no power of two: those of millions grow by half. */
size_t	 map_home(uint64_t key, uint64_t seed, size_t size);
#endif
