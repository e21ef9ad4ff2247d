/* agent/model/rows.c: the packed form of rows, and the octets in them. */
#include "model/rows.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"

#define OCTETS_MAX 512

const char *
row_table_word(unsigned table)
{
	static const char *const words[TABLE_N] = { "", "dot1q", "dot1d", "hwDynFdb", "ieee8021q", "lldp", "lldpV2", "cdp",
		"ipNetToMedia", "ipNetToPhysical", "dot3adAggPort", "ifStack" };

	return table < TABLE_N ? words[table] : "?";
}

bool
octets_set(struct octets *o, const void *p, size_t n)
{
	const uint8_t *from = p;
	uint8_t *copy = NULL;

	if (n > OCTETS_MAX)
		n = OCTETS_MAX;
	while (n > 0 && (from[n - 1] == '\0' || isspace(from[n - 1])))
		n--;
	if (n > 0) {
		if ((copy = malloc(n)) == NULL)
			return false;
		memcpy(copy, from, n);
	}
	free(o->p);
	*o = (struct octets){ copy, n };
	return true;
}

void
octets_free(struct octets *o)
{
	free(o->p);
	*o = (struct octets){ 0 };
}

const char *
octets_text(const struct octets *o, char *out, size_t size)
{
	text_clean(out, size, o->p, o->n);
	return out;
}

bool
octets_mac(const struct octets *o, struct mac *out)
{
	char text[24];

	if (o->n == sizeof out->b) {
		memcpy(out->b, o->p, sizeof out->b);
		return true;
	}
	if (o->n < 11 || o->n > 17 || memchr(o->p, '\0', o->n) != NULL)
		return false;
	memcpy(text, o->p, o->n);
	text[o->n] = '\0';
	return mac_parse(text, out) == 0;
}

/* CDP does not say what a device id is: six octets that nobody could read are a MAC. */
static bool
device_is_mac(const struct row_neighbour *nb)
{
	if (nb->table != TABLE_CDP)
		return false;
	for (size_t i = 0; i < nb->chassis.n; i++)
		if (nb->chassis.p[i] < ' ' || nb->chassis.p[i] > '~')
			return true;
	return false;
}

size_t
neighbour_macs(const struct row_neighbour *nb, struct mac out[static 2])
{
	enum { CHASSIS_IS_MAC = 4, PORT_IS_MAC = 3 };	/* LldpChassisIdSubtype, LldpPortIdSubtype */
	const struct { const struct octets *id; bool is_mac; } ids[] = {
		{ &nb->chassis, nb->chassis_subtype == CHASSIS_IS_MAC || device_is_mac(nb) }, { &nb->port, nb->port_subtype == PORT_IS_MAC },
	};
	size_t n = 0;

	for (size_t i = 0; i < nitems(ids); i++)
		if ((ids[i].is_mac || ids[i].id->n != sizeof out->b) && octets_mac(ids[i].id, &out[n]) && !mac_is_zero(out[n]) &&
		    !mac_is_group(out[n]))
			n++;
	return n;
}

bool
neighbour_has_mac(const struct row_neighbour *nb, struct mac m)
{
	struct mac own[2];
	size_t n = neighbour_macs(nb, own);

	return (n > 0 && mac_eq(own[0], m)) || (n > 1 && mac_eq(own[1], m));
}

static void
octets_get(struct msg_in *m, struct octets *o)
{
	size_t n;
	const uint8_t *p = get_octets(m, &n);

	if (p == NULL)
		return;
	if (n > OCTETS_MAX) {
		m->bad = true;
		return;
	}
	if (n == 0)
		return;
	if ((o->p = malloc(n)) == NULL) {
		m->bad = true;
		return;
	}
	memcpy(o->p, p, n);
	o->n = n;
}

static void
octets_put(struct buf *b, const struct octets *o)
{
	put_octets(b, o->p, o->n);
}

static void
ip_put(struct buf *b, const struct ip *ip)
{
	put_octets(b, ip->b, ip_len(ip));
}

static void
ip_get(struct msg_in *m, struct ip *ip)
{
	size_t n;
	const uint8_t *p = get_octets(m, &n);

	if (p != NULL && n != 0 && n != 4 && n != 16)
		m->bad = true;
	*ip = ip_of(p, (unsigned)n);
}

static void
system_pack(struct buf *b, const struct row_system *s)
{
	put_bytes(b, s->bridge.b, sizeof s->bridge.b);
	put_u32(b, s->ageing_s);
	put_text(b, s->object_id);
	octets_put(b, &s->descr);
	octets_put(b, &s->name);
}

static void
system_unpack(struct msg_in *m, struct row_system *s)
{
	get_bytes(m, s->bridge.b, sizeof s->bridge.b);
	s->ageing_s = get_u32(m);
	get_text_into(m, s->object_id, sizeof s->object_id);
	octets_get(m, &s->descr);
	octets_get(m, &s->name);
}

static void
iface_pack(struct buf *b, const struct row_iface *i)
{
	put_u32(b, i->if_index);
	put_u32(b, i->type);
	put_u8(b, i->oper);
	put_bytes(b, i->phys.b, sizeof i->phys.b);
	octets_put(b, &i->name);
	octets_put(b, &i->descr);
	put_u8(b, i->has_alias);
	octets_put(b, &i->alias);
}

static void
iface_unpack(struct msg_in *m, struct row_iface *i)
{
	i->if_index = get_u32(m);
	i->type = get_u32(m);
	i->oper = get_u8(m);
	get_bytes(m, i->phys.b, sizeof i->phys.b);
	octets_get(m, &i->name);
	octets_get(m, &i->descr);
	i->has_alias = get_u8(m) != 0;
	octets_get(m, &i->alias);
	m->bad |= i->if_index == 0;
}

static void
fdb_pack(struct buf *b, const struct row_fdb *f)
{
	put_bytes(b, f->mac.b, sizeof f->mac.b);
	put_u16(b, f->vlan);
	put_u32(b, f->if_index);
	put_u32(b, f->bridge_port);
	put_u8(b, f->status);
	put_u8(b, f->table);
}

static void
fdb_unpack(struct msg_in *m, struct row_fdb *f)
{
	get_bytes(m, f->mac.b, sizeof f->mac.b);
	f->vlan = get_u16(m);
	f->if_index = get_u32(m);
	f->bridge_port = get_u32(m);
	f->status = get_u8(m);
	f->table = get_u8(m);
	m->bad |= f->vlan > 4094 || f->status > FDB_MGMT || f->table >= TABLE_N;
}

/* The texts of a neighbour, in the order they are packed. */
static const size_t neighbour_texts[] = {
	offsetof(struct row_neighbour, chassis), offsetof(struct row_neighbour, port), offsetof(struct row_neighbour, port_desc),
	offsetof(struct row_neighbour, sys_name), offsetof(struct row_neighbour, sys_desc), offsetof(struct row_neighbour, platform),
	offsetof(struct row_neighbour, med_hw), offsetof(struct row_neighbour, med_fw), offsetof(struct row_neighbour, med_sw),
	offsetof(struct row_neighbour, med_serial), offsetof(struct row_neighbour, med_maker), offsetof(struct row_neighbour, med_model),
	offsetof(struct row_neighbour, med_asset),
};

static struct octets *
neighbour_text(struct row_neighbour *n, size_t i)
{
	return (struct octets *)((char *)n + neighbour_texts[i]);
}

static void
neighbour_pack(struct buf *b, const struct row_neighbour *n)
{
	assert(n->n_mgmt <= ROW_MGMT_ADDRS);
	put_u8(b, n->table);
	put_u32(b, n->if_index);
	put_u32(b, n->port_num);
	put_u32(b, n->rem_index);
	put_u8(b, n->chassis_subtype);
	put_u8(b, n->port_subtype);
	put_u16(b, n->caps);
	put_u8(b, n->caps_known);
	put_u32(b, n->cdp_caps);
	put_u8(b, n->med_class);
	put_u8(b, n->n_mgmt);
	for (size_t i = 0; i < n->n_mgmt; i++)
		ip_put(b, &n->mgmt[i]);
	for (size_t i = 0; i < nitems(neighbour_texts); i++)
		octets_put(b, (const struct octets *)((const char *)n + neighbour_texts[i]));
}

static void
neighbour_unpack(struct msg_in *m, struct row_neighbour *n)
{
	n->table = get_u8(m);
	n->if_index = get_u32(m);
	n->port_num = get_u32(m);
	n->rem_index = get_u32(m);
	n->chassis_subtype = get_u8(m);
	n->port_subtype = get_u8(m);
	n->caps = get_u16(m);
	n->caps_known = get_u8(m) != 0;
	n->cdp_caps = get_u32(m);
	n->med_class = get_u8(m);
	n->n_mgmt = get_u8(m);
	if (n->n_mgmt > ROW_MGMT_ADDRS || n->table >= TABLE_N) {
		n->n_mgmt = 0;
		m->bad = true;
	}
	for (size_t i = 0; i < n->n_mgmt; i++)
		ip_get(m, &n->mgmt[i]);
	for (size_t i = 0; i < nitems(neighbour_texts); i++)
		octets_get(m, neighbour_text(n, i));
}

static void
arp_pack(struct buf *b, const struct row_arp *a)
{
	ip_put(b, &a->ip);
	put_bytes(b, a->mac.b, sizeof a->mac.b);
	put_u32(b, a->if_index);
	put_u8(b, a->table);
}

static void
arp_unpack(struct msg_in *m, struct row_arp *a)
{
	ip_get(m, &a->ip);
	get_bytes(m, a->mac.b, sizeof a->mac.b);
	a->if_index = get_u32(m);
	a->table = get_u8(m);
	m->bad |= a->table >= TABLE_N;
}

enum { ARP_TAIL = sizeof (struct mac) + 4 + 1 };	/* what arp_pack() puts behind the address, which is 4 octets or 16 */

bool
row_arp_unpack(const uint8_t *p, size_t n, struct mac mac, struct row_arp *a)
{
	struct msg_in m = msg_in_of(p, n);

	if (n < ARP_TAIL || get_u8(&m) != ROW_ARP || memcmp(p + n - ARP_TAIL, mac.b, sizeof mac.b) != 0)
		return false;
	arp_unpack(&m, a);
	return msg_in_done(&m);
}

static void
lag_pack(struct buf *b, const struct row_lag *l)
{
	put_u32(b, l->if_index);
	put_u32(b, l->member);
	put_u8(b, l->table);
}

static void
lag_unpack(struct msg_in *m, struct row_lag *l)
{
	l->if_index = get_u32(m);
	l->member = get_u32(m);
	l->table = get_u8(m);
	m->bad |= l->if_index == 0 || l->member == 0 || l->member == l->if_index || l->table >= TABLE_N;
}

void
row_pack(struct buf *b, const struct row *r)
{
	put_u8(b, (uint8_t)r->kind);
	switch (r->kind) {
	case ROW_SYSTEM:
		system_pack(b, &r->system);
		break;
	case ROW_IFACE:
		iface_pack(b, &r->iface);
		break;
	case ROW_FDB:
		fdb_pack(b, &r->fdb);
		break;
	case ROW_NEIGHBOUR:
		neighbour_pack(b, &r->neighbour);
		break;
	case ROW_ARP:
		arp_pack(b, &r->arp);
		break;
	case ROW_LAG:
		lag_pack(b, &r->lag);
		break;
	case ROW_NKINDS:
		assert(!"no kind of row");
		break;
	}
}

int
row_unpack(const uint8_t *p, size_t n, struct row *r)
{
	struct msg_in m = msg_in_of(p, n);

	memset(r, 0, sizeof *r);
	r->kind = get_u8(&m);
	switch (r->kind) {
	case ROW_SYSTEM:
		system_unpack(&m, &r->system);
		break;
	case ROW_IFACE:
		iface_unpack(&m, &r->iface);
		break;
	case ROW_FDB:
		fdb_unpack(&m, &r->fdb);
		break;
	case ROW_NEIGHBOUR:
		neighbour_unpack(&m, &r->neighbour);
		break;
	case ROW_ARP:
		arp_unpack(&m, &r->arp);
		break;
	case ROW_LAG:
		lag_unpack(&m, &r->lag);
		break;
	default:
		r->kind = ROW_FDB;	/* owns nothing: row_free() is safe */
		return -EBADMSG;
	}
	if (!msg_in_done(&m)) {
		row_free(r);
		return -EBADMSG;
	}
	return 0;
}

void
row_fdb_pack(struct buf *b, const struct row_fdb *f)
{
	put_u8(b, ROW_FDB);
	fdb_pack(b, f);
}

bool
row_fdb_unpack(const uint8_t *p, size_t n, struct row_fdb *f)
{
	struct msg_in m = msg_in_of(p, n);

	if (get_u8(&m) != ROW_FDB)
		return false;
	fdb_unpack(&m, f);
	return msg_in_done(&m);
}

void
row_free(struct row *r)
{
	switch (r->kind) {
	case ROW_SYSTEM:
		octets_free(&r->system.descr);
		octets_free(&r->system.name);
		break;
	case ROW_IFACE:
		octets_free(&r->iface.name);
		octets_free(&r->iface.descr);
		octets_free(&r->iface.alias);
		break;
	case ROW_NEIGHBOUR:
		for (size_t i = 0; i < nitems(neighbour_texts); i++)
			octets_free(neighbour_text(&r->neighbour, i));
		break;
	case ROW_FDB:
	case ROW_ARP:
	case ROW_LAG:
	case ROW_NKINDS:
		break;
	}
}
