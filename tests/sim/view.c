/* tests/sim/view.c: what one switch says over SNMP. The rows of its tables are made anew when they are read after a change;
 * the objects are never laid out, but computed from a column and a row, so that a thousand switches fit in memory. */
#include "campus.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define SWITCH_DESCR	"camtrapd emulated campus switch"

enum fdb_status { FDB_LEARNED = 3, FDB_SELF = 4 };

struct fdb_row {
	struct mac	mac;
	uint8_t		status;
	uint16_t	bridge_port;	/* 0: the switch itself */
	uint32_t	fdb_id;
};

/* An LLDP neighbour: a switch, or a station that speaks LLDP. */
struct rem_row {
	unsigned	bridge_port;
	uint32_t	rem_index;
	int		sw;		/* -1: a station */
	size_t		station;	/* its slot; stays good, for this view turns dirty when the station goes */
};

struct arp_row {
	uint32_t	if_index, ip;
	struct mac	mac;
};

struct view {
	struct fdb_row	*fdb;		/* by FDB ID and MAC */
	uint32_t	*by_mac;	/* places in fdb, by MAC */
	size_t		nfdb, fdb_cap;
	struct rem_row	*rem;		/* by port and remIndex */
	size_t		nrem, rem_cap;
	uint32_t	*man, *med;	/* places in rem of those with an address, with an inventory */
	size_t		nman, nmed;
	struct arp_row	*arp;		/* by ifIndex and address */
	size_t		narp, arp_cap;
};

/* The switch whose object is asked for. */
struct at {
	const struct campus	*c;
	const struct sw		*s;
	const struct view	*v;
};

enum rows {
	ROWS_ONE, ROWS_IF, ROWS_BRIDGE_PORT, ROWS_FDB_MAC, ROWS_FDB_Q, ROWS_VLAN_CURRENT, ROWS_VLAN, ROWS_LLDP_PORT,
	ROWS_REM, ROWS_MAN, ROWS_MED, ROWS_ARP,
};

/* ---- values ---- */

static void
number(struct value *v, uint8_t tag, uint32_t num)
{
	v->tag = tag;
	v->num = num;
}

static void
octets(struct value *v, const void *p, size_t n)
{
	assert(n <= sizeof v->octets);
	v->tag = BER_OCTETS;
	v->len = n;
	memcpy(v->octets, p, n);
}

static void
text(struct value *v, const char *s)
{
	octets(v, s, strlen(s));
}

static void
address(struct value *v, uint32_t ip)
{
	ip = htonl(ip);
	octets(v, &ip, 4);
	v->tag = BER_IPADDRESS;
}

/* ---- interfaces: row 0 and, on the root, the next ones are VLAN interfaces, then come the ports ---- */

static const uint16_t svi_vlans[] = { 1, 10, 20 };	/* ifIndex is the VLAN ID there */

static size_t
svis(const struct at *a)
{
	return a->s->parent < 0 ? nitems(svi_vlans) : 1;
}

static const struct port *
port_of_if(const struct at *a, size_t row)
{
	return row < svis(a) ? NULL : &a->s->ports[row - svis(a)];
}

static bool
port_up(const struct port *p)
{
	return p->peer >= 0 || p->stations > 0;
}

static void
get_if(const struct at *a, size_t row, int column, struct value *v)
{
	const struct port *p = port_of_if(a, row);
	size_t n = row - svis(a) + 1;
	struct mac mac = a->s->mac;
	char name[24];

	snprintf(name, sizeof name, "Vl%u", p == NULL ? svi_vlans[row] : 0u);
	switch (column) {
	case 1:			/* ifIndex */
		number(v, BER_INTEGER, p == NULL ? svi_vlans[row] : IFINDEX_OF((uint32_t)n));
		break;
	case 2:			/* ifDescr, deliberately not ifName */
		if (p == NULL)
			snprintf(name, sizeof name, "Vlan%u", svi_vlans[row]);
		else
			snprintf(name, sizeof name, "%sEthernet%s", p->name[0] == 'G' ? "Gigabit" : "TenGigabit", p->name + 2);
		text(v, name);
		break;
	case 3:			/* ifType: propVirtual, ethernetCsmacd */
		number(v, BER_INTEGER, p == NULL ? 53 : 6);
		break;
	case 4:			/* ifMtu */
		number(v, BER_INTEGER, 1500);
		break;
	case 5:			/* ifSpeed; 10 Gbit/s does not fit and is said by ifHighSpeed */
		number(v, BER_GAUGE, p != NULL && p->name[0] == 'T' ? UINT32_MAX : 1000000000);
		break;
	case 6:			/* ifPhysAddress */
		if (p != NULL)
			mac.b[5] = (uint8_t)n;
		octets(v, mac.b, sizeof mac.b);
		break;
	case 7:			/* ifAdminStatus */
		number(v, BER_INTEGER, 1);
		break;
	case 8:			/* ifOperStatus */
		number(v, BER_INTEGER, p == NULL || port_up(p) ? 1 : 2);
		break;
	case 9:			/* ifLastChange */
		number(v, BER_TICKS, p == NULL ? 0 : p->changed_cs);
		break;
	case 101:		/* ifName */
		text(v, p == NULL ? name : p->name);
		break;
	case 115:		/* ifHighSpeed */
		number(v, BER_GAUGE, p != NULL && p->name[0] == 'T' ? 10000 : 1000);
		break;
	case 118:		/* ifAlias */
		snprintf(name, sizeof name, "to %s", p != NULL && p->peer >= 0 ? a->c->sw[p->peer].name : "");
		text(v, p != NULL && p->peer >= 0 ? name : "");
		break;
	default:
		assert(!"a column without a value");
	}
}

/* ---- scalars ---- */

enum {
	SYS_DESCR, SYS_OBJECT_ID, SYS_UPTIME, SYS_CONTACT, SYS_NAME, SYS_LOCATION, SYS_SERVICES, IF_NUMBER, IF_TABLE_CHANGED,
	BRIDGE_ADDRESS, BRIDGE_NUM_PORTS, BRIDGE_TYPE, AGEING_TIME, VLAN_VERSION, LLDP_CHANGED, LOC_CHASSIS_SUBTYPE, LOC_CHASSIS,
	LOC_CAPS,
};

static void
get_scalar(const struct at *a, size_t row, int column, struct value *v)
{
	char location[48];

	(void)row;
	switch (column) {
	case SYS_DESCR:
		text(v, SWITCH_DESCR);
		break;
	case SYS_OBJECT_ID:
		v->tag = BER_OID;
		oid_of("1.3.6.1.4.1.32473.1.1", &v->oid);
		break;
	case SYS_UPTIME:
		number(v, BER_TICKS, campus_uptime_cs(a->c, a->s));
		break;
	case SYS_CONTACT:
		text(v, "noc@example.org");
		break;
	case SYS_NAME:
		text(v, a->s->name);
		break;
	case SYS_LOCATION:
		snprintf(location, sizeof location, "%s, closet of %s", a->s->site, a->s->name);
		text(v, location);
		break;
	case SYS_SERVICES:
		number(v, BER_INTEGER, a->s->parent < 0 ? 6 : 2);
		break;
	case IF_NUMBER:
		number(v, BER_INTEGER, a->s->nports + (uint32_t)svis(a));
		break;
	case IF_TABLE_CHANGED:
		number(v, BER_TICKS, 0);		/* no interface is ever added */
		break;
	case BRIDGE_ADDRESS:
	case LOC_CHASSIS:
		octets(v, a->s->mac.b, sizeof a->s->mac.b);
		break;
	case BRIDGE_NUM_PORTS:
		number(v, BER_INTEGER, a->s->nports);
		break;
	case BRIDGE_TYPE:
		number(v, BER_INTEGER, 2);		/* transparent-only */
		break;
	case AGEING_TIME:
		number(v, BER_INTEGER, a->c->ageing_s);
		break;
	case VLAN_VERSION:
		number(v, BER_INTEGER, 1);
		break;
	case LLDP_CHANGED:
		number(v, BER_TICKS, a->s->lldp_changed_cs);
		break;
	case LOC_CHASSIS_SUBTYPE:
		number(v, BER_INTEGER, 4);		/* macAddress */
		break;
	case LOC_CAPS:
		octets(v, "\x20", 1);			/* bridge(2) */
		break;
	default:
		assert(!"a scalar without a value");
	}
}

/* ---- bridge ---- */

static void
get_bridge_port(const struct at *a, size_t row, int column, struct value *v)
{
	switch (column) {
	case 1:			/* dot1dBasePort */
		number(v, BER_INTEGER, (uint32_t)row + 1);
		break;
	case 2:			/* dot1dBasePortIfIndex */
		number(v, BER_INTEGER, IFINDEX_OF((uint32_t)row + 1));
		break;
	default:		/* dot1qPvid */
		number(v, BER_GAUGE, a->s->ports[row].pvid);
	}
}

static void
get_fdb_row(const struct fdb_row *r, int column, struct value *v)
{
	switch (column) {
	case 1:
		octets(v, r->mac.b, sizeof r->mac.b);
		break;
	case 2:
		number(v, BER_INTEGER, r->bridge_port);
		break;
	default:
		number(v, BER_INTEGER, r->status);
	}
}

static void
get_fdb_mac(const struct at *a, size_t row, int column, struct value *v)
{
	get_fdb_row(&a->v->fdb[a->v->by_mac[row]], column, v);
}

static void
get_fdb_q(const struct at *a, size_t row, int column, struct value *v)
{
	get_fdb_row(&a->v->fdb[row], column, v);
}

static void
get_vlan_fdb_id(const struct at *a, size_t row, int column, struct value *v)
{
	(void)column;
	number(v, BER_GAUGE, a->c->fdb_ids[row]);
}

static void
get_vlan_name(const struct at *a, size_t row, int column, struct value *v)
{
	char name[24];

	(void)column;
	switch (a->c->vlans[row]) {
	case 1:
		text(v, "management");
		break;
	case 10:
		text(v, "laptops");
		break;
	case 20:
		text(v, "cameras");
		break;
	default:
		snprintf(name, sizeof name, "vlan-%u", a->c->vlans[row]);
		text(v, name);
	}
}

/* ---- neighbours and addresses ---- */

static void
get_lldp_port(const struct at *a, size_t row, int column, struct value *v)
{
	if (column == 2)
		number(v, BER_INTEGER, 5);		/* lldpLocPortIdSubtype: interfaceName */
	else
		text(v, a->s->ports[row].name);		/* lldpLocPortId, lldpLocPortDesc */
}

static void
get_rem(const struct at *a, size_t row, int column, struct value *v)
{
	const struct rem_row *r = &a->v->rem[row];
	const struct sw *s = r->sw >= 0 ? &a->c->sw[r->sw] : NULL;
	const struct station *st = s == NULL ? &a->c->stations[r->station] : NULL;
	const char *their_port = s == NULL ? "eth0" : s->ports[a->s->ports[r->bridge_port - 1].peer_port - 1].name;
	char descr[80];

	switch (column) {
	case 4:			/* chassis ID subtype: macAddress */
		number(v, BER_INTEGER, 4);
		break;
	case 5:
		octets(v, s != NULL ? s->mac.b : st->mac.b, 6);
		break;
	case 6:			/* port ID subtype: interfaceName of a switch, macAddress of a station */
		number(v, BER_INTEGER, s != NULL ? 5 : 3);
		break;
	case 7:
		if (s != NULL)
			text(v, their_port);
		else
			octets(v, st->mac.b, 6);
		break;
	case 8:			/* port description */
		text(v, their_port);
		break;
	case 9:			/* sysName; cheap cameras send none */
		text(v, s != NULL ? s->name : "");
		break;
	case 10:
		snprintf(descr, sizeof descr, "%s %s", s != NULL ? SWITCH_DESCR : st->maker, s != NULL ? "" : st->model);
		text(v, s != NULL ? SWITCH_DESCR : descr);
		break;
	default:		/* capabilities, supported and enabled: bridge(2) or stationOnly(7) */
		octets(v, s != NULL ? "\x20" : "\x01", 1);
	}
}

static void
get_man(const struct at *a, size_t row, int column, struct value *v)
{
	(void)a, (void)row;
	if (column == 5) {
		v->tag = BER_OID;
		v->oid.n = 2;
		v->oid.s[0] = v->oid.s[1] = 0;
	} else {
		number(v, BER_INTEGER, column == 3 ? 2 : 1);	/* by ifIndex; 1 */
	}
}

static void
get_med(const struct at *a, size_t row, int column, struct value *v)
{
	const struct station *st = &a->c->stations[a->v->rem[a->v->med[row]].station];
	char serial[24];

	switch (column) {
	case 4:
		snprintf(serial, sizeof serial, "SN%02X%02X%02X", st->mac.b[3], st->mac.b[4], st->mac.b[5]);
		text(v, serial);
		break;
	case 5:
		text(v, st->maker);
		break;
	case 6:
		text(v, st->model);
		break;
	case 103:		/* lldpXMedRemDeviceClass: endpointClass1 */
		number(v, BER_INTEGER, 1);
		break;
	default:		/* hardware, firmware and software revision, asset */
		text(v, column == 2 || column == 3 ? "5.7.3" : "");
	}
}

static void
get_arp(const struct at *a, size_t row, int column, struct value *v)
{
	const struct arp_row *r = &a->v->arp[row];

	switch (column) {
	case 1:
		number(v, BER_INTEGER, r->if_index);
		break;
	case 2:
		octets(v, r->mac.b, sizeof r->mac.b);
		break;
	case 3:
		address(v, r->ip);
		break;
	default:
		number(v, BER_INTEGER, 3);		/* dynamic */
	}
}

/* ---- every object there is ---- */

static struct column {
	const char	*oid;
	enum rows	 rows;
	void		(*get)(const struct at *, size_t row, int column, struct value *);
	int		 column;
	struct oid	 prefix;			/* from `oid`, by view_init() */
} columns[] = {
#define B	"1.3.6.1.2.1.17."
#define L	"1.0.8802.1.1.2.1."
#define M	"1.3.6.1.2.1."
#define ONE(o, what)		{ o, ROWS_ONE, get_scalar, what, { .n = 0 } }
#define COL(o, rows, get, k)	{ o, rows, get, k, { .n = 0 } }
	ONE(M "1.1", SYS_DESCR), ONE(M "1.2", SYS_OBJECT_ID), ONE(M "1.3", SYS_UPTIME), ONE(M "1.4", SYS_CONTACT),
	ONE(M "1.5", SYS_NAME), ONE(M "1.6", SYS_LOCATION), ONE(M "1.7", SYS_SERVICES), ONE(M "2.1", IF_NUMBER),
	COL(M "2.2.1.1", ROWS_IF, get_if, 1), COL(M "2.2.1.2", ROWS_IF, get_if, 2), COL(M "2.2.1.3", ROWS_IF, get_if, 3),
	COL(M "2.2.1.4", ROWS_IF, get_if, 4), COL(M "2.2.1.5", ROWS_IF, get_if, 5), COL(M "2.2.1.6", ROWS_IF, get_if, 6),
	COL(M "2.2.1.7", ROWS_IF, get_if, 7), COL(M "2.2.1.8", ROWS_IF, get_if, 8), COL(M "2.2.1.9", ROWS_IF, get_if, 9),
	COL(M "4.22.1.1", ROWS_ARP, get_arp, 1), COL(M "4.22.1.2", ROWS_ARP, get_arp, 2),
	COL(M "4.22.1.3", ROWS_ARP, get_arp, 3), COL(M "4.22.1.4", ROWS_ARP, get_arp, 4),
	COL(M "31.1.1.1.1", ROWS_IF, get_if, 101), COL(M "31.1.1.1.15", ROWS_IF, get_if, 115),
	COL(M "31.1.1.1.18", ROWS_IF, get_if, 118), ONE(M "31.1.5", IF_TABLE_CHANGED),
	ONE(B "1.1", BRIDGE_ADDRESS), ONE(B "1.2", BRIDGE_NUM_PORTS), ONE(B "1.3", BRIDGE_TYPE),
	COL(B "1.4.1.1", ROWS_BRIDGE_PORT, get_bridge_port, 1), COL(B "1.4.1.2", ROWS_BRIDGE_PORT, get_bridge_port, 2),
	ONE(B "4.2", AGEING_TIME), COL(B "4.3.1.1", ROWS_FDB_MAC, get_fdb_mac, 1),
	COL(B "4.3.1.2", ROWS_FDB_MAC, get_fdb_mac, 2), COL(B "4.3.1.3", ROWS_FDB_MAC, get_fdb_mac, 3),
	ONE(B "7.1.1.1", VLAN_VERSION),
	COL(B "7.1.2.2.1.2", ROWS_FDB_Q, get_fdb_q, 2), COL(B "7.1.2.2.1.3", ROWS_FDB_Q, get_fdb_q, 3),
	COL(B "7.1.4.2.1.3", ROWS_VLAN_CURRENT, get_vlan_fdb_id, 3), COL(B "7.1.4.3.1.1", ROWS_VLAN, get_vlan_name, 1),
	COL(B "7.1.4.5.1.1", ROWS_BRIDGE_PORT, get_bridge_port, 3),
	ONE(L "2.1", LLDP_CHANGED), ONE(L "3.1", LOC_CHASSIS_SUBTYPE), ONE(L "3.2", LOC_CHASSIS), ONE(L "3.3", SYS_NAME),
	ONE(L "3.4", SYS_DESCR), ONE(L "3.5", LOC_CAPS), ONE(L "3.6", LOC_CAPS),
	COL(L "3.7.1.2", ROWS_LLDP_PORT, get_lldp_port, 2), COL(L "3.7.1.3", ROWS_LLDP_PORT, get_lldp_port, 3),
	COL(L "3.7.1.4", ROWS_LLDP_PORT, get_lldp_port, 4),
	COL(L "4.1.1.4", ROWS_REM, get_rem, 4), COL(L "4.1.1.5", ROWS_REM, get_rem, 5), COL(L "4.1.1.6", ROWS_REM, get_rem, 6),
	COL(L "4.1.1.7", ROWS_REM, get_rem, 7), COL(L "4.1.1.8", ROWS_REM, get_rem, 8), COL(L "4.1.1.9", ROWS_REM, get_rem, 9),
	COL(L "4.1.1.10", ROWS_REM, get_rem, 10), COL(L "4.1.1.11", ROWS_REM, get_rem, 11),
	COL(L "4.1.1.12", ROWS_REM, get_rem, 12),
	COL(L "4.2.1.3", ROWS_MAN, get_man, 3), COL(L "4.2.1.4", ROWS_MAN, get_man, 4), COL(L "4.2.1.5", ROWS_MAN, get_man, 5),
	COL(L "5.4795.1.3.1.1.3", ROWS_MED, get_med, 103),
	COL(L "5.4795.1.3.3.1.1", ROWS_MED, get_med, 1), COL(L "5.4795.1.3.3.1.2", ROWS_MED, get_med, 2),
	COL(L "5.4795.1.3.3.1.3", ROWS_MED, get_med, 3), COL(L "5.4795.1.3.3.1.4", ROWS_MED, get_med, 4),
	COL(L "5.4795.1.3.3.1.5", ROWS_MED, get_med, 5), COL(L "5.4795.1.3.3.1.6", ROWS_MED, get_med, 6),
	COL(L "5.4795.1.3.3.1.7", ROWS_MED, get_med, 7),
};

static int
column_cmp(const void *a, const void *b)
{
	const struct column *x = a, *y = b;

	return oid_cmp(x->prefix.s, x->prefix.n, y->prefix.s, y->prefix.n);
}

void
view_init(void)
{
	for (size_t i = 0; i < nitems(columns); i++)
		oid_of(columns[i].oid, &columns[i].prefix);
	qsort(columns, nitems(columns), sizeof columns[0], column_cmp);
}

/* ---- making the rows ---- */

static int
fdb_row_cmp(const void *a, const void *b)
{
	const struct fdb_row *x = a, *y = b;

	if (x->fdb_id != y->fdb_id)
		return x->fdb_id < y->fdb_id ? -1 : 1;
	return memcmp(&x->mac, &y->mac, sizeof x->mac);
}

static int
by_mac_cmp(const void *a, const void *b, void *rows)
{
	const struct fdb_row *r = rows;

	return memcmp(&r[*(const uint32_t *)a].mac, &r[*(const uint32_t *)b].mac, sizeof r->mac);
}

static int
rem_row_cmp(const void *a, const void *b)
{
	const struct rem_row *x = a, *y = b;

	if (x->bridge_port != y->bridge_port)
		return x->bridge_port < y->bridge_port ? -1 : 1;
	return x->rem_index < y->rem_index ? -1 : x->rem_index > y->rem_index;
}

static int
arp_row_cmp(const void *a, const void *b)
{
	const struct arp_row *x = a, *y = b;

	if (x->if_index != y->if_index)
		return x->if_index < y->if_index ? -1 : 1;
	return x->ip < y->ip ? -1 : x->ip > y->ip;
}

static void
need(bool ok)
{
	if (!ok) {
		fprintf(stderr, "campus: out of memory\n");
		abort();
	}
}

static void
fdb_add(struct view *v, struct mac mac, uint32_t fdb_id, unsigned bridge_port, enum fdb_status status)
{
	if (v->nfdb == v->fdb_cap)
		need(array_grow((void **)&v->fdb, v->nfdb, &v->fdb_cap, sizeof *v->fdb) == 0);
	v->fdb[v->nfdb++] = (struct fdb_row){ .mac = mac, .status = (uint8_t)status, .bridge_port = (uint16_t)bridge_port, .fdb_id = fdb_id };
}

static void
rem_add(struct view *v, struct rem_row r)
{
	if (v->nrem == v->rem_cap)
		need(array_grow((void **)&v->rem, v->nrem, &v->rem_cap, sizeof *v->rem) == 0);
	v->rem[v->nrem++] = r;
}

static void
station_add(const struct campus *c, int sw, struct view *v, size_t slot)
{
	const struct station *st = &c->stations[slot];
	bool here = st->sw == sw;

	if (st->learned && campus_hears(c, sw, st))
		fdb_add(v, st->mac, vlan_fdb_id(c, st->vlan), here ? st->bridge_port : campus_towards(c, sw, st->sw), FDB_LEARNED);
	if (here && st->lldp)
		rem_add(v, (struct rem_row){ .bridge_port = st->bridge_port, .rem_index = st->rem_index, .sw = -1, .station = slot });
	if (c->sw[sw].parent < 0 && st->learned && st->ip != 0) {
		if (v->narp == v->arp_cap)
			need(array_grow((void **)&v->arp, v->narp, &v->arp_cap, sizeof *v->arp) == 0);
		v->arp[v->narp++] = (struct arp_row){ st->vlan == 10 || st->vlan == 20 ? st->vlan : 1, st->ip, st->mac };
	}
}

static uint32_t
man_ip(const struct campus *c, const struct rem_row *r)
{
	return r->sw >= 0 ? c->sw[r->sw].address : c->stations[r->station].ip;
}

static void
rows_make(struct campus *c, int sw, struct view *v)
{
	const struct sw *s = &c->sw[sw];
	uint32_t management = vlan_fdb_id(c, 1);

	v->nfdb = v->nrem = v->narp = v->nman = v->nmed = 0;
	for (unsigned i = 0; i < c->nswitches; i++)
		fdb_add(v, c->sw[i].mac, management, campus_towards(c, sw, (int)i), (int)i == sw ? FDB_SELF : FDB_LEARNED);
	for (unsigned n = 1; n <= s->nports; n++)
		if (s->ports[n - 1].peer >= 0)
			rem_add(v, (struct rem_row){ .bridge_port = n, .rem_index = 1, .sw = s->ports[n - 1].peer });
	for (size_t i = 0; i < c->nstations; i++)
		if (c->stations[i].used)
			station_add(c, sw, v, i);
	qsort(v->fdb, v->nfdb, sizeof *v->fdb, fdb_row_cmp);
	free(v->by_mac);
	need((v->by_mac = calloc(v->nfdb, sizeof *v->by_mac)) != NULL);
	for (uint32_t i = 0; i < v->nfdb; i++)
		v->by_mac[i] = i;
	qsort_r(v->by_mac, v->nfdb, sizeof *v->by_mac, by_mac_cmp, v->fdb);
	if (v->narp > 0)
		qsort(v->arp, v->narp, sizeof *v->arp, arp_row_cmp);
	if (v->nrem > 0)
		qsort(v->rem, v->nrem, sizeof *v->rem, rem_row_cmp);
	free(v->man);
	free(v->med);
	need((v->man = calloc(v->nrem + 1, sizeof *v->man)) != NULL);
	need((v->med = calloc(v->nrem + 1, sizeof *v->med)) != NULL);
	for (uint32_t i = 0; i < v->nrem; i++) {
		if (man_ip(c, &v->rem[i]) != 0)
			v->man[v->nman++] = i;
		if (v->rem[i].sw < 0)
			v->med[v->nmed++] = i;
	}
}

static struct at
at_of(struct campus *c, int sw)
{
	struct sw *s = &c->sw[sw];

	if (s->view == NULL)
		need((s->view = calloc(1, sizeof *s->view)) != NULL);
	if (s->dirty) {
		rows_make(c, sw, s->view);
		s->dirty = false;
	}
	return (struct at){ .c = c, .s = s, .v = s->view };
}

void
view_free(struct view *v)
{
	if (v == NULL)
		return;
	free(v->fdb);
	free(v->by_mac);
	free(v->rem);
	free(v->man);
	free(v->med);
	free(v->arp);
	free(v);
}

/* ---- finding ---- */

static size_t
rows_count(const struct at *a, enum rows rows)
{
	switch (rows) {
	case ROWS_ONE:
		return 1;
	case ROWS_IF:
		return svis(a) + a->s->nports;
	case ROWS_BRIDGE_PORT:
	case ROWS_LLDP_PORT:
		return a->s->nports;
	case ROWS_FDB_MAC:
	case ROWS_FDB_Q:
		return a->v->nfdb;
	case ROWS_VLAN_CURRENT:
	case ROWS_VLAN:
		return a->c->nvlans;
	case ROWS_REM:
		return a->v->nrem;
	case ROWS_MAN:
		return a->v->nman;
	case ROWS_MED:
		return a->v->nmed;
	case ROWS_ARP:
		return a->v->narp;
	}
	return 0;
}

static size_t
index_mac(uint32_t *out, const struct mac *mac)
{
	for (size_t i = 0; i < 6; i++)
		out[i] = mac->b[i];
	return 6;
}

static size_t
index_ip(uint32_t *out, uint32_t ip)
{
	for (size_t i = 0; i < 4; i++)
		out[i] = ip >> (24 - 8 * i) & 0xff;
	return 4;
}

/* The table is a snapshot, so timeMark is 0 (lldpRemTimeMark too). */
static size_t
index_rem(uint32_t *out, const struct rem_row *r)
{
	out[0] = 0;
	out[1] = LLDP_PORT_OF(r->bridge_port);
	out[2] = r->rem_index;
	return 3;
}

#define INDEX_MAX 16

/* The index of a row, as the sub-identifiers that follow the column. */
static size_t
row_index(const struct at *a, enum rows rows, size_t row, uint32_t out[static INDEX_MAX])
{
	size_t n;

	switch (rows) {
	case ROWS_ONE:
		out[0] = 0;
		return 1;
	case ROWS_IF:
		out[0] = row < svis(a) ? svi_vlans[row] : IFINDEX_OF((uint32_t)(row - svis(a)) + 1);
		return 1;
	case ROWS_BRIDGE_PORT:
		out[0] = (uint32_t)row + 1;
		return 1;
	case ROWS_LLDP_PORT:
		out[0] = LLDP_PORT_OF((uint32_t)row + 1);
		return 1;
	case ROWS_FDB_MAC:
		return index_mac(out, &a->v->fdb[a->v->by_mac[row]].mac);
	case ROWS_FDB_Q:
		out[0] = a->v->fdb[row].fdb_id;
		return 1 + index_mac(out + 1, &a->v->fdb[row].mac);
	case ROWS_VLAN_CURRENT:
		out[0] = 0;
		out[1] = a->c->vlans[row];
		return 2;
	case ROWS_VLAN:
		out[0] = a->c->vlans[row];
		return 1;
	case ROWS_REM:
		return index_rem(out, &a->v->rem[row]);
	case ROWS_MAN:
		n = index_rem(out, &a->v->rem[a->v->man[row]]);
		out[n++] = 1;			/* ipV4 */
		out[n++] = 4;			/* the length octet of the address */
		return n + index_ip(out + n, man_ip(a->c, &a->v->rem[a->v->man[row]]));
	case ROWS_MED:
		return index_rem(out, &a->v->rem[a->v->med[row]]);
	case ROWS_ARP:
		out[0] = a->v->arp[row].if_index;
		return 1 + index_ip(out + 1, a->v->arp[row].ip);
	}
	return 0;
}

/* The first row whose index is not below this one; with `after`, the first that is above it. */
static size_t
row_from(const struct at *a, enum rows rows, const uint32_t *index, size_t n, bool after)
{
	size_t lo = 0, hi = rows_count(a, rows);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		uint32_t x[INDEX_MAX];
		int cmp = oid_cmp(x, row_index(a, rows, mid, x), index, n);

		if (cmp < 0 || (cmp == 0 && after))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
starts_with(const struct oid *name, const struct oid *prefix)
{
	return name->n >= prefix->n && memcmp(name->s, prefix->s, prefix->n * sizeof prefix->s[0]) == 0;
}

bool
view_get(struct campus *c, int sw, const struct oid *name, struct value *v)
{
	struct at a = at_of(c, sw);

	v->tag = BER_NO_OBJECT;
	for (size_t i = 0; i < nitems(columns); i++) {
		const struct column *col = &columns[i];
		uint32_t x[INDEX_MAX];
		size_t row;

		if (!starts_with(name, &col->prefix))
			continue;
		v->tag = BER_NO_INSTANCE;
		row = row_from(&a, col->rows, name->s + col->prefix.n, name->n - col->prefix.n, false);
		if (row == rows_count(&a, col->rows) ||
		    oid_cmp(x, row_index(&a, col->rows, row, x), name->s + col->prefix.n, name->n - col->prefix.n) != 0)
			return false;
		col->get(&a, row, col->column, v);
		return true;
	}
	return false;
}

bool
view_next(struct campus *c, int sw, const struct oid *name, struct oid *next, struct value *v)
{
	struct at a = at_of(c, sw);

	for (size_t i = 0; i < nitems(columns); i++) {
		const struct column *col = &columns[i];
		size_t row = 0;

		if (starts_with(name, &col->prefix))
			row = row_from(&a, col->rows, name->s + col->prefix.n, name->n - col->prefix.n, true);
		else if (oid_cmp(name->s, name->n, col->prefix.s, col->prefix.n) > 0)
			continue;
		if (row == rows_count(&a, col->rows))
			continue;
		next->n = col->prefix.n;
		memcpy(next->s, col->prefix.s, next->n * sizeof next->s[0]);
		next->n += row_index(&a, col->rows, row, next->s + next->n);
		col->get(&a, row, col->column, v);
		return true;
	}
	v->tag = BER_END_OF_VIEW;
	return false;
}
