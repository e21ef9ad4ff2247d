/* tests/sim/network.h: the truth of the emulated campus: which switches hang together how, and where each station is plugged in.
 *
 * Trees of three levels: a core switch, distribution switches below it, access switches below these. Trees are not joined by
 * anything that forwards frames. Everything follows from the options and one seed. */
#ifndef CAMPUS_NETWORK_H
#define CAMPUS_NETWORK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "objects.h"
#include "usm.h"

enum { IF_BASE = 10100, AGGREGATE = 300, FDB_BASE = 1000, VLAN_SWITCHES = 1, VLAN_HOSTS = 10, VLAN_CAMERAS = 20, N_VLANS = 3, NONE = -1,
	TREE_MAX = 157, PORTS_MAX = 200, PER_DISTRIBUTION = 12, PORT_NAME = 20 };
extern const int network_vlans[N_VLANS];

enum link_speech { SPEAKS_LLDP, SPEAKS_CDP };

struct station {
	uint64_t	mac;		/* 0: this place is free */
	int		sw, port, vlan;
	int		next, prev;	/* on the same switch; NONE at the ends */
	uint32_t	heard;		/* its lldpRemIndex there: no other station ever has it */
	uint32_t	ip;		/* host order; 0 none */
	char		*maker, *model;	/* of LLDP-MED; NULL: no LLDP */
	int		claims;		/* says by LLDP that it is this switch; NONE: says what it is */
	int64_t		silent_until;	/* ms of network.now; no switch has its address before */
};

struct sw {
	char		name[20];
	uint64_t	mac;
	uint32_t	ip;		/* host order */
	int		core;		/* of its tree */
	int		parent, parent_port, child, sibling;	/* NONE */
	int		ports;		/* of hosts and switches below; then come those of the uplink */
	bool		lag;		/* its uplink is an aggregate of two ports at both ends */
	enum link_speech speech;	/* of its uplink */
	bool		contexts;	/* shows its MAC table only per VLAN */
	int		stations;	/* the first; NONE */
	uint16_t	on_port[PORTS_MAX + 3];
	/* what it answers */
	bool		dead, stale;	/* dead: does not answer; frames go through it all the same */
	int		if_base;	/* ifIndex - bridge port; another one after a reboot */
	int64_t		booted, back;	/* ms; does not answer before `back` */
	struct usm_engine engine;
	struct objects	objects, per_vlan[N_VLANS];
	bool		recorded;	/* plays a recording: nothing is computed */
	/* how it answers: in percent, ms, octets, and the content of an OID */
	int		loss, delay, truncate;
	uint8_t		mute[48];
	size_t		n_mute;
};

struct network_options {
	int		switches, tree, hosts, cameras, ports, ageing;
	int		lag, cdp, contexts;	/* percent: of links, of links, of access switches */
	bool		flood;			/* broadcasts reach every switch of a tree: each learns every station */
	uint32_t	first, seed;
};

extern struct network {
	struct sw	*sw;
	int		 n_sw;
	struct station	*station;
	uint32_t	 n_heard;
	int		 n_station;	/* places used so far, free ones among them */
	int64_t		 now;		/* ms of CLOCK_MONOTONIC; the main loop sets it */
	struct network_options opt;
} network;

void	network_make(const struct network_options *opt);
void	network_free(void);
uint32_t network_draw(uint32_t below);

int	switch_named(const char *name);		/* NONE */
bool	switch_is_access(int s);
int	uplink_port(int s);			/* its number among the ports; the second of an aggregate is the next */
/* The number frames are forwarded by: the port's own, or its aggregate's. */
int	bridge_port(int s, int port);
/* The port (not the aggregate) that a link to a child or the parent begins at; `second`: of an aggregate. */
int	member_port(int s, int port, bool second);
/* The port behind which switch `at` of the same tree is. */
int	port_towards(int s, int at);
bool	switch_below(int s, int at);		/* `at` is s or hangs below it */
int	if_index(int s, int port);
const char *port_name(int s, int port, char out[static PORT_NAME]);
bool	port_is_up(int s, int port);

struct station *station_find(uint64_t mac);
/* NULL: is plugged in already. */
struct station *station_add(uint64_t mac, int sw, int port, int vlan);
void	station_move(struct station *t, int sw, int port);
void	station_remove(struct station *t);
void	station_said(struct station *t, const char *maker, const char *model);	/* copies */
bool	station_restricted(const struct station *t);
/* Its address is in no table for so long. */
void	station_silence(struct station *t, int64_t ms);
/* What switches have learned of it changed: their tables are made anew when next asked. */
void	station_changed(const struct station *t);
/* Ends what is over at `now`; ms until the next is, or -1. */
int64_t	network_tick(void);
#endif
