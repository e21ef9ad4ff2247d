/* agent/base/map.c: linear probing at most three quarters full; deleting closes the gap, so there are no tombstones. */
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define SIZE_FIRST 64

size_t
map_home(uint64_t key, uint64_t seed, size_t size)
{
	uint64_t hash = (key ^ seed) * 0x9e3779b97f4a7c15u;

	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	return (size_t)((__uint128_t)hash * size >> 64);
}

static size_t
home_of(const struct map *m, uint64_t key)
{
	return map_home(key, m->seed, m->size);
}

static size_t
after(const struct map *m, size_t i)
{
	return i + 1 < m->size ? i + 1 : 0;
}

/* How many steps it is from one slot to another. */
static size_t
steps(const struct map *m, size_t from, size_t to)
{
	return to >= from ? to - from : to + m->size - from;
}

/* Where `key` is, or the free slot where it would be. */
static size_t
slot_of(const struct map *m, uint64_t key)
{
	size_t i = home_of(m, key);

	while (m->slots[i].value != NULL && m->slots[i].key != key)
		i = after(m, i);
	return i;
}

void
map_free(struct map *m)
{
	free(m->slots);
	*m = (struct map){ .seed = m->seed };
}

void *
map_get(const struct map *m, uint64_t key)
{
	return m->size == 0 ? NULL : m->slots[slot_of(m, key)].value;
}

static int
map_grow(struct map *m)
{
	struct map more = { .size = m->size == 0 ? SIZE_FIRST : m->size + m->size / 2, .count = m->count, .seed = m->seed };

	if ((more.slots = calloc(more.size, sizeof *more.slots)) == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < m->size; i++)
		if (m->slots[i].value != NULL)
			more.slots[slot_of(&more, m->slots[i].key)] = m->slots[i];
	free(m->slots);
	*m = more;
	return 0;
}

int
map_put(struct map *m, uint64_t key, void *value)
{
	size_t i;

	assert(value != NULL);
	if ((m->count + 1) * 4 > m->size * 3 && map_grow(m) < 0)
		return -ENOMEM;
	i = slot_of(m, key);
	m->count += m->slots[i].value == NULL;
	m->slots[i] = (struct map_slot){ key, value };
	return 0;
}

void
map_del(struct map *m, uint64_t key)
{
	size_t gap, i;

	if (m->size == 0 || m->slots[gap = slot_of(m, key)].value == NULL)
		return;
	m->count--;
	for (i = after(m, gap); m->slots[i].value != NULL; i = after(m, i)) {
		size_t home = home_of(m, m->slots[i].key);

		/* It may fill the gap unless its home lies between the gap and itself. */
		if (steps(m, home, i) >= steps(m, gap, i)) {
			m->slots[gap] = m->slots[i];
			gap = i;
		}
	}
	m->slots[gap] = (struct map_slot){ 0 };
}
