/* tests/sim/objects.h: the objects of one switch as they go on the wire, in the order of their names. */
#ifndef CAMPUS_OBJECTS_H
#define CAMPUS_OBJECTS_H
#include <stddef.h>
#include <stdint.h>

/* One varbind: where its octets begin in objects.bytes, and of these its name. */
struct object { uint32_t at; uint16_t n; uint8_t oid_at, oid_n; };

/* Zeroed at first. */
struct objects {
	uint8_t		*bytes;
	size_t		 n_bytes, cap_bytes;
	struct object	*v;
	size_t		 n, cap;
	uint32_t	 uptime_at;	/* of the five octets of sysUpTime's value; 0: none */
};

/* The content of an OID up to the column. */
struct prefix { uint8_t ber[48]; size_t n; };
const struct prefix *prefix_of(struct prefix *p, const char *text);
#define PREFIX(text) ({ static struct prefix prefix_; prefix_of(&prefix_, text); })

void	objects_clear(struct objects *o);		/* keeps the memory */
void	objects_free(struct objects *o);
void	object_put(struct objects *o, const struct prefix *column, const uint32_t *index, size_t n_index, uint8_t tag, const void *value, size_t n);
void	object_number(struct objects *o, const struct prefix *column, const uint32_t *index, size_t n_index, uint8_t tag, int64_t v);
void	object_text(struct objects *o, const struct prefix *column, const uint32_t *index, size_t n_index, const char *text);
/* sysUpTime: its value is set by objects_uptime(). */
void	object_uptime(struct objects *o);
void	objects_uptime(struct objects *o, uint32_t hundredths);
/* After the last one was put. Of two with one name the first stays. */
void	objects_sort(struct objects *o);

/* The first object at or (`after`) behind a name; NULL: none. */
const struct object *objects_from(const struct objects *o, const uint8_t *oid, size_t n, int after);
#endif
