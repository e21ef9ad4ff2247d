/* agent/poller/tables.h: what the tables of one switch said, object by object, and the rows that follow from it. Pure: no network.
 * What to ask for is data, too: poll_steps[] names the columns of each table. */
#ifndef CAMTRAPD_TABLES_H
#define CAMTRAPD_TABLES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/rows.h"
#include "poller/varbind.h"

#define VLAN_MAX 4094			/* IEEE 802.1Q: 4095 is reserved */

/* VLANs, one bit each. */
struct vlan_set { uint64_t bits[VLAN_MAX / 64 + 1]; };

static inline bool
vlan_in(const struct vlan_set *s, unsigned vlan)
{
	return vlan <= VLAN_MAX && (s->bits[vlan / 64] >> vlan % 64 & 1) != 0;
}

static inline void
vlan_add(struct vlan_set *s, unsigned vlan)
{
	if (vlan <= VLAN_MAX)
		s->bits[vlan / 64] |= UINT64_C(1) << vlan % 64;
}

/* POLL_WALK_VLANS: once in the context of each VLAN, all such steps of one before the next; they are the last of poll_steps[]. */
enum poll_how { POLL_GET, POLL_WALK, POLL_WALK_VLANS };

/* One walk (or GET of scalars) of a poll. The order is the order of asking. */
struct poll_step {
	const char	*name;		/* "dot1qTpFdb": for diagnostics */
	enum poll_how	 how;		/* scalars, one GET; or the columns are walked side by side */
	unsigned	 kinds;		/* ROW_BIT()s that stay incomplete when this step does */
	size_t		 row_octets;
	const char	*columns[8];	/* dotted texts, NULL-terminated */
	/* NULL: always asked. Else asked when it says so, from what came before ("not if dot1q gave rows", …). */
	bool		(*wanted)(const void *tables);
};
extern const struct poll_step poll_steps[];
extern const size_t poll_n_steps;

struct tables;				/* opaque: one poll's raw objects, then rows */

/* What the tables of one switch may take in memory, whatever it sends (threat-model.md P2: 64 MB with the packed rows of this
 * poll and the last). What is over it is dropped and counted, and nothing is complete. */
#define TABLES_BYTES_MAX (48u << 20)

/* Empty; of one table at most `max_rows` rows are kept. NULL: out of memory. */
struct tables	*tables_new(uint32_t max_rows);
void		 tables_free(struct tables *t);	/* NULL is fine */
/* How much was put, for the next poll of the same switch: a large one would else grow step by step each time, and be copied. */
struct tables_size { size_t cells, idx, oct; };
struct tables_size tables_size(const struct tables *t);
void		 tables_expect(struct tables *t, struct tables_size size);	/* before the first put */
/* Between polls: gives back the memory that the next ones would begin with. */
void		 tables_tidy(void);
/* Takes one object; wrong types and indexes are dropped and counted by reason. */
void		 tables_put(struct tables *t, const struct varbind *v);
/* A sum over all that was put and how the steps ended, but for sysUpTime: two polls of one switch with the same sum have the same
 * rows. `seed`, before the first put, is secret, or a device could choose its texts so that the sum stays. */
void		 tables_seed(struct tables *t, uint64_t seed);
uint64_t	 tables_sum(const struct tables *t);
/* What is put from now on is of this VLAN's context; 0, as at first: of the default one. false: no room for it, it is not to be
 * asked; what is put is of the default context. */
bool		 tables_context(struct tables *t, uint16_t vlan);
/* The VLANs to be asked in contexts of their own: the switch lists them as in use, and no table that holds all VLANs gave a row.
 * *access: VLANs of access ports. false: none. Before tables_join(). */
bool		 tables_vlans(const struct tables *t, struct vlan_set *all, struct vlan_set *access);
/* `n` VLANs, of which one is `vlan`, were not asked (0: not even known which): the forwarding table is incomplete. `text` gets what
 * is told of it. */
void		 tables_vlans_left(struct tables *t, uint16_t vlan, size_t n, const char *why, char *text, size_t text_max);
/* Contexts are asked whatever the switch lists (camtrapctl probe --vlans). */
void		 tables_force_vlans(struct tables *t);
/* How a step ended: `ok` false leaves its kinds incomplete. An absent table (no objects, walk ended well) is complete and empty.
 * Of a step repeated per VLAN each end is told; one that is not ok counts, the first `why` is kept. */
void		 tables_step_done(struct tables *t, size_t step, bool ok, const char *why);
/* Maps ports and VLANs and makes the rows. Call once, after the last step. 0 or -ENOMEM: rows are missing, nothing is complete. */
int		 tables_join(struct tables *t);

/* The switch restarted in between: every kind is incomplete, so that nothing is taken as gone. */
void		 tables_distrust(struct tables *t);

/* The switch restarted in between, for certain: what came before and after may number the same port differently. */
void		 tables_restarted_set(struct tables *t);
bool		 tables_restarted(const struct tables *t);

/* After tables_join(): each row, those of a kind one after another. Start with *at = 0; false at the end. What *out owns stays with the
 * tables: it is not to be freed. */
bool		 tables_next(const struct tables *t, size_t *at, struct row *out);
size_t		 tables_n_rows(const struct tables *t);
const struct row_iface *tables_iface(const struct tables *t, uint32_t if_index);	/* borrowed; NULL: there is none */
unsigned	 tables_complete(const struct tables *t);	/* ROW_BIT()s */
uint32_t	 tables_uptime_cs(const struct tables *t);	/* sysUpTime at the first step; 0 unknown */
uint32_t	 tables_dropped(const struct tables *t);	/* objects and rows */
/* For probe: each VLAN context asked, with the forwarding entries it gave; false: not read to the end. In order of asking. */
void		 tables_contexts(const struct tables *t, void (*each)(void *arg, uint16_t vlan, uint32_t entries, bool whole), void *arg);
/* For probe: each "what was dropped and why", "which rule was used"; borrowed texts. */
void		 tables_diagnostics(const struct tables *t, void (*each)(void *arg, const char *kind, const char *text, uint32_t count), void *arg);
#endif
