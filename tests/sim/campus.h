/* tests/sim/campus.h: an emulated campus: a tree of switches, the stations plugged into it, and what each switch
 * says of both over SNMP. One thread; the struct campus owns everything. */
#ifndef CAMPUS_H
#define CAMPUS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ber.h"

/* Numbers that are easy to confuse are kept apart on purpose: bridge port n has ifIndex 10100 + n and
 * LLDP local port number 500 + n, and FDB IDs are no VLAN IDs (vlan_fdb_id()). */
#define IFINDEX_OF(bridge_port)	(10100u + (bridge_port))
#define LLDP_PORT_OF(bridge_port) (500u + (bridge_port))

#define ACCESS_PORTS	24
#define SWITCHES_MAX	3000
#define VLANS_MAX	64
#define REPLY_MAX	1400		/* octets of one SNMP message of ours */

struct mac { uint8_t b[6]; };

struct port {
	char		name[24];	/* ifName */
	int		peer;		/* switch at the other end; -1: an access port */
	unsigned	peer_port;	/* its bridge port there */
	uint16_t	pvid;
	unsigned	stations;	/* plugged in */
	uint32_t	changed_cs;	/* ifLastChange */
};

struct view;				/* the tables of one switch; view.c */

struct sw {
	char		name[16];
	const char	*site;
	uint32_t	address;	/* host order */
	struct mac	mac;
	int		parent;		/* -1: the root */
	unsigned	parent_port;	/* bridge port of the parent that leads here */
	unsigned	uplink;		/* our bridge port towards the parent; 0: the root */
	unsigned	nports;
	struct port	*ports;		/* ports[n - 1] is bridge port n */
	bool		access, dead;
	uint32_t	uptime_offset_cs;
	uint32_t	lldp_changed_cs;
	int		fd;
	struct view	*view;
	bool		dirty;		/* the view must be made again before it is read */
};

struct station {
	bool		used;		/* slots are reused, so that an index stays good while its station is plugged in */
	bool		learned;	/* false: aged out of all tables, though still plugged in */
	bool		restricted, lldp;
	struct mac	mac;
	uint16_t	vlan;
	int		sw;
	unsigned	bridge_port;
	uint32_t	ip;		/* host order; 0: none known */
	uint32_t	rem_index;	/* lldpRemIndex */
	char		maker[33], model[33];
};

struct campus {
	/* as asked for */
	unsigned	nswitches, hosts, cameras, ageing_s, port;
	uint64_t	seed;
	uint32_t	first;		/* address of switch 0, host order */
	bool		flood;		/* broadcasts reach the other access switches of the block */
	const char	*community;

	struct sw	*sw;
	struct station	*stations;
	size_t		nstations, stations_cap;
	uint16_t	vlans[VLANS_MAX];	/* ascending; [] beside it is the FDB ID */
	uint32_t	fdb_ids[VLANS_MAX];
	size_t		nvlans;
	uint32_t	next_rem_index;
	int64_t		started_cs;
};

/* topology.c. Errors are texts for a person (NULL: done). */
const char	*campus_build(struct campus *c);
void		campus_free(struct campus *c);
int		campus_switch(const struct campus *c, const char *name);		/* -1: none */
/* By ifName or bridge port number; 0: none. */
unsigned	campus_port(const struct sw *s, const char *text);
struct station	*campus_station(struct campus *c, struct mac mac);			/* borrowed; NULL: none */
/* `want` is copied; its sw, bridge_port, mac, vlan, ip, lldp, maker and model count. vlan 0: by kind. */
const char	*campus_plug(struct campus *c, const struct station *want);
void		campus_unplug(struct campus *c, struct station *st);
void		campus_age(struct campus *c, struct station *st);
const char	*campus_move(struct campus *c, struct station *st, int sw, unsigned bridge_port);
/* The bridge port of switch `from` that leads to switch `to`; 0: it is the same. */
unsigned	campus_towards(const struct campus *c, int from, int to);
bool		campus_hears(const struct campus *c, int sw, const struct station *st);	/* has it in its FDB */
uint32_t	campus_uptime_cs(const struct campus *c, const struct sw *s);
uint32_t	vlan_fdb_id(const struct campus *c, uint16_t vlan);
bool		mac_parse(const char *text, struct mac *out);
#define MAC_TEXT 18
const char	*mac_text(struct mac mac, char out[static MAC_TEXT]);

/* view.c */
void		view_init(void);	/* once, before the others */
void		view_free(struct view *v);
/* False: `v` is the exception to send. */
bool		view_get(struct campus *c, int sw, const struct oid *name, struct value *v);
/* False: nothing comes after `name`. `next` may be `name`. */
bool		view_next(struct campus *c, int sw, const struct oid *name, struct oid *next, struct value *v);

/* answer.c: one datagram in, the octets of its reply in out; 0: no answer. */
size_t		answer(struct campus *c, int sw, const uint8_t *in, size_t n, uint8_t out[static REPLY_MAX]);

/* control.c: one command without its newline; the reply is appended to `out`. False: quit was asked for. */
bool		control_line(struct campus *c, char *line, struct buf *out);
#endif
