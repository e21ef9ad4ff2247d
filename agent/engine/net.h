/* agent/engine/net.h: the network as the switches described it: per switch its rows, ports and neighbours, and per MAC where
 * it is seen. Pure state; uplink.c and locate.c draw the conclusions. */
#ifndef CAMTRAPD_NET_H
#define CAMTRAPD_NET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "config/conf.h"
#include "model/enums.h"
#include "model/rows.h"
#include "model/swtable.h"

struct sw;
struct finding;				/* detect.c */

/* Somebody on a port claims to be this switch, which does not agree. Both had been read so many times when that was seen first: until
 * both are read again, nothing is concluded (their tables are of different moments). */
struct doubt { struct sw *of; uint32_t polls, own_polls; };

struct port {
	uint32_t	 if_index;
	uint32_t	 stations;		/* distinct learned MACs, without those of virtual routers: kept with every change of a sighting */
	const char	*name;			/* cleaned, of 63 octets at most; in sw.texts, and port_alias() behind it */
	uint64_t	 descr_hash;		/* of ifDescr; 0 none */
	/* Conclusions of uplink.c. */
	struct sw	*towards;		/* borrowed; NULL: not a polled switch */
	struct doubt	*doubt;			/* owned; NULL: none */
	uint8_t		 why;			/* enum reason, of an uplink or of a conflict; 0 neither */
	bool		 uplink : 1;
	bool		 phone : 1;		/* a neighbour with the telephone capability */
	bool		 doubted : 1;		/* in this pass */
	bool		 changed : 1;		/* a conclusion is another one than before; cleared by whoever has acted on it */
	/* What the switch and the operator say. */
	bool		 configured_uplink : 1, configured_access : 1;
	bool		 has_neighbour : 1;	/* somebody there speaks LLDP or CDP */
	struct mac	 phys;			/* ifPhysAddress */
};
_Static_assert(sizeof(struct port) <= 48, "there are half a million of them");

static inline const char *
port_alias(const struct port *p)
{
	return p->name + strlen(p->name) + 1;
}

/* Which ports are members of which aggregate, by the switch's own word: sorted by member. */
struct member { uint32_t if_index, aggregate; };
struct members { struct member *v; size_t n; };

struct sw {
	const struct conf_switch *conf;		/* borrowed from the configuration in force */
	char		 name[NAME_MAX_OCTETS];
	uint64_t	 key;
	size_t		 index;			/* in net.switches */
	uint32_t	 slot;			/* in net.by_slot, for life */
	struct swtable	 table;
	struct port	*ports;			/* sorted by if_index */
	size_t		 n_ports;
	char		*texts;			/* what they are called */
	struct members	 members;
	struct row	*neighbours;		/* of kind ROW_NEIGHBOUR; on the aggregate of a member */
	struct sw	**neighbour_is;		/* the polled switch that each claims to be, or NULL (uplink.c) */
	size_t		 n_neighbours;
	struct mac	*own;			/* bridge and interface addresses, sorted */
	size_t		 n_own;
	char		 sys_name[64];
	uint32_t	 ageing_s;
	bool		 undescribed;		/* there was no memory for its ports: they are to be made of the same table once more */
	bool		 unplaced;		/* there was none for sightings of some rows: these come in with the next table, or the same */
	bool		 crowded;		/* it shows a MAC on more ports than are looked at */
	bool		 has_arp;		/* rows of ARP or ND in its table */
	/* How polling goes. */
	enum switch_state state;
	uint64_t	 sum;			/* of the report that `table` is of; 0: none that another can be held against */
	uint32_t	 uptime_cs;		/* sysUpTime as it was known last; 0: never */
	uint8_t		 refused;		/* reports in a row (reports.c) */
	struct mono	 readdressed_at;	/* it has another address since, and `table` is of what was at the one before; 0: it is not */
	uint32_t	 polls, complete_polls;	/* answered since this switch is known; of them complete (FDB and interfaces) */
	uint32_t	 attempts;		/* reports of any kind in this run */
	uint32_t	 missed;
	uint32_t	 number;		/* MIB index */
	uint8_t		 complete;		/* ROW_BIT()s of the last answered poll */
	struct mono	 read_from, polled_at;	/* in this run: when the newest poll that read the MAC table began, and an answered one was told */
	struct wall	 last_poll, last_complete, baseline_at, loaded_poll;	/* loaded_poll: the last one of an earlier run */
	bool		 lost, unreachable_told;	/* three polls missed; an alarm says so */
	char		 error[160], credential[NAME_MAX_OCTETS];
	bool		 dirty, state_dirty, table_dirty;	/* to be written: when it was polled, how that went, what it said */
	size_t		 part;			/* uplink.c: switches of the same part have known ways to each other, both ways */
	uint32_t	 awaited;		/* by the order of this query that has every switch polled; 0: none */
	bool		 polled_owed, polled_complete;	/* a poll whose absences are not judged yet; a complete one is among them */
	struct sw	*next_owed;		/* in the list of those */
	bool		 doubted, doubt_asked;	/* a port of it or of another waits for its next complete poll (uplink.c) */
	uint64_t	 baseline_order;	/* detect.c: after which findings its baseline was taken; 0: in an earlier run */
	struct finding	*findings;		/* detect.c: those whose place is here */
};

/* One MAC seen on one port. */
struct sighting {
	struct sw	*sw;
	int64_t		 since;			/* of the table that showed it first here (net_table_set()); 0: before this run */
	uint32_t	 if_index;		/* sw_folded(); 0: the switch names no port */
	uint32_t	 rows;			/* rows that say so */
	uint16_t	 vlan;
	uint8_t		 table, status;		/* enum row_table, enum fdb_status */
};

/* The same as it is kept, and all of one MAC: net.c only. */
struct seen {
	uint64_t	 slot : 20, since : 44;
	uint32_t	 if_index;
	uint32_t	 vlan : 12, status : 3, table : 4, rows : 13;
};
_Static_assert(sizeof(struct seen) == 16, "there are millions of them");
struct sightings { uint32_t n, cap; struct seen v[]; };
#define SWITCHES_MAX (1u << 20)
#define SINCE_US 100			/* of a run: fifty years of them fit */
#define SINCE_MAX ((INT64_C(1) << 44) - 1)

struct station {
	uint64_t	 mac : 48;		/* 0: free slot */
	uint64_t	 noted : 1;		/* it waits to be looked at (work.c) */
	struct sightings *seen;			/* NULL: not any more, or not yet */
};

struct net {
	struct sw	**switches;
	size_t		 n_switches;
	struct sw	**by_slot;		/* NULL: a free one */
	size_t		 n_by_slot;
	struct station	*slots;			/* open addressing */
	size_t		 n_slots, n_used, n_stations;	/* used: once seen, and not cleared away yet; stations: those that are seen */
	uint64_t	 seed;			/* of this run: nobody can choose addresses that crowd into few slots */
	uint32_t	 max_stations;
	/* Past max_stations only MACs that this says yes to are taken, NET_RESERVE of them; may be NULL. */
	bool		(*precious)(void *arg, struct mac mac);
	void		*arg;
	uint64_t	 refused_stations, bad_rows;
	struct map	 by_key, by_name;	/* switches; names by their hash */
	struct map	 owners;		/* MAC to the switch whose own it is, or to net_several */
	struct map	 heard;			/* MAC in a neighbour's ids to the switch that hears it, or to net_several (uplink.c) */
	bool		 topology_stale;	/* something that uplinks_decide() looks at has changed */
	bool		 stations_matter;	/* it had to look at where stations are seen, too */
	bool		 ports_changed;		/* some port has `changed` */
	size_t		 effort;		/* of its last pass: ports and rows looked at */
	uint64_t	 version;		/* of the tables: another one, another answer of port_way() */
	struct cuts	*cuts;			/* its answers to this version; NULL: none are kept */
};
#define NET_RESERVE 16384
extern struct sw net_several;		/* stands in a map for "more than one switch" */

/* Who is told what a new table changed; any may be NULL. */
struct net_listener {
	void	(*changed)(void *arg, struct mac mac);		/* its sightings */
	void	(*address)(void *arg, struct mac mac, const struct ip *ip);	/* a row of ARP or ND came */
	void	*arg;
};

void		 net_free(struct net *n);
struct sw	*net_switch(const struct net *n, uint64_t key);		/* NULL: not configured */
struct sw	*net_switch_named(const struct net *n, const char *name);
/* Adds one; NULL: out of memory. */
struct sw	*net_switch_add(struct net *n, const struct conf_switch *conf);
/* Takes a switch and its sightings out. */
void		 net_switch_remove(struct net *n, struct sw *sw, const struct net_listener *l);
/* The operator's uplinks and access_ports, after the ports or the configuration changed. */
void		 net_ports_configure(struct sw *sw);

/* Makes `after` the table of the switch (takes it over). `since` grows with each table of a run, up to SINCE_MAX, and follows no clock
 * that people can set: which of two sightings is newer must not depend on that. 0 or -ENOMEM; then nothing has changed, or the switch
 * is `undescribed` or `unplaced`. */
int		 net_table_set(struct net *n, struct sw *sw, struct swtable *after, int64_t since, const struct net_listener *l);
/* How its poll went; a doubt about it may be settled now. */
void		 net_state_set(struct net *n, struct sw *sw, enum switch_state state);
/* The polled switch whose own address it is. NULL: none, or several say so. */
struct sw	*net_owner(const struct net *n, struct mac mac);
/* A polled switch that can be asked now, with tables that could agree. */
bool		 sw_is_reached(const struct sw *sw);

struct station	*net_station(const struct net *n, struct mac mac);	/* NULL: never seen */
/* Whoever is going to ask for many stations names them ahead: they lie scattered over far more memory than a cache holds. */
static inline void
net_station_fetch(const struct net *n, uint64_t mac)
{
	if (n->n_slots > 0)
		__builtin_prefetch(&n->slots[map_home(mac, n->seed, n->n_slots)]);
}
/* On how many ports and VLANs it is seen, and each of them. */
static inline uint32_t
station_n(const struct station *st)
{
	return st->seen != NULL ? st->seen->n : 0;
}

static inline struct sighting
sighting_at(const struct net *n, const struct station *st, uint32_t i)
{
	const struct seen *s = &st->seen->v[i];

	return (struct sighting){ .sw = n->by_slot[s->slot], .since = (int64_t)s->since, .if_index = s->if_index, .rows = s->rows,
		.vlan = s->vlan, .table = s->table, .status = s->status };
}
struct port	*sw_port(const struct sw *sw, uint32_t if_index);	/* NULL: not in its interface table */
/* A member counts as its aggregate wherever something is seen or claimed: the aggregate's ifIndex, of any other port its own. */
uint32_t	 sw_folded(const struct sw *sw, uint32_t if_index);
bool		 sw_owns(const struct sw *sw, struct mac mac);
/* A status that makes a sighting of a live station. */
bool		 sighting_is_live(const struct sighting *s);

/* uplink.c: decides for every port of every switch; marks those with another conclusion as `changed`. */
void		 uplinks_decide(struct net *n);

/* Which polled switch each neighbour says it is, as of the tables now: uplinks_decide() does that, too. */
void		 neighbours_resolve(struct net *n);
/* The port of `sw` that a neighbour on the other end names. NULL: it names none that we know, or not only one. */
struct port	*port_named(const struct sw *sw, const struct row_neighbour *nb);

struct cuts	*cuts_new(void);		/* for struct net; free() is enough */
/* Where port `p` of `sw` leads, by where `other` sees the same stations: on how many ports it sees those of `p` where it sees the
 * rest of `sw`, too (`here`: they hang at `sw` itself), on how many elsewhere (`there`: on its own side), and on how many it sees
 * that rest. A device cannot forge that: it is the way that frames went. `but`: a station that may just have moved. */
struct way { size_t here, there, rest; };
struct way	 port_way(const struct net *n, const struct sw *sw, const struct port *p, const struct sw *other, struct mac but);
/* True when the known uplinks lead from port `p` of `sw` to `to`, without coming back to `sw`. */
bool		 port_reaches(const struct sw *sw, const struct port *p, const struct sw *to);
#endif
