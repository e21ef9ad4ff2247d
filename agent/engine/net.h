/* agent/engine/net.h: the network as the switches described it: per switch its rows, ports and neighbours, and per MAC where
 * it is seen. Pure state; uplink.c and locate.c draw the conclusions. */
#ifndef CAMTRAPD_NET_H
#define CAMTRAPD_NET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "config/conf.h"
#include "model/enums.h"
#include "model/rows.h"
#include "model/rowset.h"

struct sw;

struct port {
	uint32_t	 if_index;
	char		 name[64], alias[64];	/* cleaned */
	uint8_t		 oper;
	bool		 configured_uplink, configured_access;
	/* Conclusions of uplink.c. */
	bool		 uplink;
	enum reason	 why;			/* of an uplink, or of a conflict; 0 neither */
	struct sw	*towards;		/* borrowed; NULL: not a polled switch */
	uint32_t	 stations;		/* distinct learned MACs that are not a switch's own */
	bool		 phone;			/* a neighbour with the telephone capability */
};

struct sw {
	const struct conf_switch *conf;		/* borrowed from the configuration in force */
	char		 name[NAME_MAX_OCTETS];
	uint64_t	 key;
	size_t		 index;			/* in net.switches */
	struct rowset	 table;
	struct port	*ports;			/* sorted by if_index */
	size_t		 n_ports;
	struct row	*neighbours;		/* of kind ROW_NEIGHBOUR */
	size_t		 n_neighbours;
	struct mac	*own;			/* bridge and interface addresses, sorted */
	size_t		 n_own;
	char		 sys_name[64];
	uint32_t	 ageing_s;
	uint32_t	 fdb_rows;
	/* How polling goes. */
	enum switch_state state;
	uint64_t	 epoch;
	uint32_t	 sequence;
	bool		 in_step;		/* a report of this epoch was applied */
	uint32_t	 polls, complete_polls;	/* answered since this switch is known; of them complete (FDB and interfaces) */
	uint32_t	 attempts;		/* reports of any kind in this run */
	uint32_t	 missed;
	uint32_t	 number;		/* MIB index */
	uint32_t	 uptime_cs;
	uint8_t		 complete;		/* ROW_BIT()s of the last answered poll */
	struct wall	 last_poll, last_complete, baseline_at;
	bool		 unreachable_told;
	char		 error[160], credential[NAME_MAX_OCTETS];
	bool		 dirty, table_dirty;	/* to be written */
	struct mono	 written;
	size_t		 tree;			/* uplink.c: which part of the agreed topology it belongs to */
};

/* One MAC seen on one port. */
struct sighting {
	struct sw	*sw;
	uint32_t	 if_index;		/* 0: the switch names no port */
	uint16_t	 vlan;
	uint8_t		 status, table;
	uint16_t	 rows;			/* rows that say so */
	int64_t		 since_us;		/* wall time of the poll that showed it first here */
};

struct station {
	uint64_t	 mac;			/* 0: free slot */
	struct sighting	*seen;
	uint32_t	 n, cap;
};

struct net {
	struct sw	**switches;
	size_t		 n_switches;
	struct station	*slots;			/* open addressing, power of two */
	size_t		 n_slots, n_stations;
	uint32_t	 max_stations;
	uint64_t	 refused_stations, strays, bad_rows;
};

/* Told of each MAC whose sightings changed. */
typedef void net_changed_fn(void *arg, struct mac mac);

void		 net_free(struct net *n);
struct sw	*net_switch(const struct net *n, uint64_t key);		/* NULL: not configured */
struct sw	*net_switch_named(const struct net *n, const char *name);
/* Adds one; NULL: out of memory. */
struct sw	*net_switch_add(struct net *n, const struct conf_switch *conf);
/* Takes a switch and its sightings out. */
void		 net_switch_remove(struct net *n, struct sw *sw, net_changed_fn *changed, void *arg);
/* The operator's uplinks and access_ports, after the ports or the configuration changed. */
void		 net_ports_configure(struct sw *sw);

/* Makes `after` the table of the switch (takes it over). `at`: the poll's time. 0 or -ENOMEM with nothing changed. */
int		 net_table_set(struct net *n, struct sw *sw, struct rowset *after, struct wall at, net_changed_fn *changed, void *arg);

struct station	*net_station(const struct net *n, struct mac mac);	/* NULL: never seen */
struct port	*sw_port(const struct sw *sw, uint32_t if_index);	/* NULL: not in its interface table */
bool		 sw_owns(const struct sw *sw, struct mac mac);
/* A status that makes a sighting of a live station. */
bool		 sighting_is_live(const struct sighting *s);

/* uplink.c: decides for every port of every switch. True when anything changed. */
bool		 uplinks_decide(struct net *n);
#endif
