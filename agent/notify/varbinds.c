/* agent/notify/varbinds.c: one table row per object of CAMTRAPD-MIB; the table's order is the order on the wire.
 * Does not send anything. */
#include "notify/varbinds.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "base/text.h"

#define FOR_DEVICE	0x01		/* notifications 1 to 7 */
#define FOR_REST	0x02		/* 8 to 14: switches and the agent */
#define FOR_BOTH	(FOR_DEVICE | FOR_REST)

struct source { const struct event *e; const char *agent; };

/* Puts a value; texts by put_cut() with the row's size. */
typedef void getter(struct varbind *v, const struct source *s, size_t size);

static void
put_cut(struct varbind *v, const char *text, size_t size)
{
	char cut[VARBIND_OCTETS_MAX + 1];

	assert(size <= VARBIND_OCTETS_MAX);
	v->len = (uint8_t)text_cut(cut, size + 1, text);
	memcpy(v->octets, cut, v->len);
}

/* An absent word counts as the one that promises least: 0 is no value of these enumerations. */
static void
put_word(struct varbind *v, unsigned value, unsigned least)
{
	v->number = value != 0 ? value : least;
}

static void
put_address(struct varbind *v, const struct ip *ip)
{
	v->len = (uint8_t)ip_len(ip);
	memcpy(v->octets, ip->b, v->len);
}

/* InetAddressType (RFC 4001): unknown 0, ipv4 1, ipv6 2. */
static uint32_t
address_type(const struct ip *ip)
{
	return ip->family == 4 ? 1 : ip->family == 6 ? 2 : 0;
}

/* DateAndTime (RFC 2579) with the zone, always UTC. */
static void
put_time(struct varbind *v, struct wall at)
{
	time_t s = (time_t)(at.us / 1000000);
	struct tm tm = { 0 };
	unsigned year;

	if (at.us < 0 || gmtime_r(&s, &tm) == NULL)
		memset(&tm, 0, sizeof tm);
	year = (unsigned)tm.tm_year + 1900;
	v->octets[0] = (uint8_t)(year >> 8);
	v->octets[1] = (uint8_t)year;
	v->octets[2] = (uint8_t)(tm.tm_mon + 1);
	v->octets[3] = (uint8_t)(tm.tm_mday > 0 ? tm.tm_mday : 1);
	v->octets[4] = (uint8_t)tm.tm_hour;
	v->octets[5] = (uint8_t)tm.tm_min;
	v->octets[6] = (uint8_t)tm.tm_sec;
	v->octets[7] = (uint8_t)(at.us < 0 ? 0 : at.us % 1000000 / 100000);
	v->octets[8] = '+';
	v->octets[9] = v->octets[10] = 0;
	v->len = 11;
}

#define TEXT_GETTER(name, what)		static void name(struct varbind *v, const struct source *s, size_t n) { put_cut(v, what, n); }
#define NUMBER_GETTER(name, what)	static void name(struct varbind *v, const struct source *s, size_t n) { (void)n; v->number = what; }
#define WORD_GETTER(name, what, least)	static void name(struct varbind *v, const struct source *s, size_t n) { (void)n; put_word(v, what, least); }
#define ADDRESS_GETTER(name, what)	static void name(struct varbind *v, const struct source *s, size_t n) { (void)n; put_address(v, what); }

TEXT_GETTER(get_id, s->e->id)
TEXT_GETTER(get_agent, s->agent)
TEXT_GETTER(get_vendor, s->e->vendor)
TEXT_GETTER(get_policy, s->e->policy)
TEXT_GETTER(get_site, s->e->site)
TEXT_GETTER(get_switch, s->e->switch_name)
TEXT_GETTER(get_where, s->e->switch_location)
TEXT_GETTER(get_port, s->e->port)
TEXT_GETTER(get_alias, s->e->alias)
TEXT_GETTER(get_reason, s->e->reason)
TEXT_GETTER(get_evidence, s->e->evidence)
TEXT_GETTER(get_text_line, s->e->text)
NUMBER_GETTER(get_sequence, s->e->sequence)
NUMBER_GETTER(get_epoch, s->e->epoch)
NUMBER_GETTER(get_detection, s->e->detection_id)
NUMBER_GETTER(get_switch_type, address_type(&s->e->switch_address))
NUMBER_GETTER(get_if_index, s->e->if_index)
NUMBER_GETTER(get_vlan, s->e->vlan <= 4094 ? s->e->vlan : 0)
NUMBER_GETTER(get_device_type, address_type(&s->e->device_address))
NUMBER_GETTER(get_count, s->e->count)
WORD_GETTER(get_confidence, s->e->confidence, CONFIDENCE_POSSIBLE)
WORD_GETTER(get_severity, s->e->severity, SEVERITY_INFO)
WORD_GETTER(get_presence, s->e->presence, PRESENCE_PRESENT)
WORD_GETTER(get_handling, s->e->handling, HANDLING_OPEN)
WORD_GETTER(get_origin, s->e->origin, ORIGIN_NEW)
WORD_GETTER(get_verdict, s->e->verdict, VERDICT_UNKNOWN)
ADDRESS_GETTER(get_switch_address, &s->e->switch_address)
ADDRESS_GETTER(get_device_address, &s->e->device_address)

static void
get_time(struct varbind *v, const struct source *s, size_t size)
{
	(void)size;
	put_time(v, s->e->at);
}

static void
get_mac(struct varbind *v, const struct source *s, size_t size)
{
	(void)size;
	memcpy(v->octets, s->e->mac.b, v->len = sizeof s->e->mac.b);
}

/* mibs/CAMTRAPD-MIB, camtrapdEventObjects. `size`: octets at most, of texts that may be cut. */
static const struct object {
	const char		*name;
	uint8_t			 column;
	enum varbind_type	 type;
	uint8_t			 size;
	unsigned		 on;
	getter			*get;
} objects[] = {
	{ "eventId",		1,	VB_OCTETS,	26,	FOR_BOTH,	get_id },
	{ "eventSequence",	2,	VB_UNSIGNED,	0,	FOR_BOTH,	get_sequence },
	{ "eventEpoch",		3,	VB_UNSIGNED,	0,	FOR_BOTH,	get_epoch },
	{ "agentName",		4,	VB_OCTETS,	32,	FOR_BOTH,	get_agent },
	{ "eventTime",		5,	VB_OCTETS,	0,	FOR_BOTH,	get_time },
	{ "detectionId",	6,	VB_UNSIGNED,	0,	FOR_DEVICE,	get_detection },
	{ "deviceMac",		7,	VB_OCTETS,	0,	FOR_DEVICE,	get_mac },
	{ "deviceVendor",	8,	VB_OCTETS,	48,	FOR_DEVICE,	get_vendor },
	{ "devicePolicy",	9,	VB_OCTETS,	32,	FOR_DEVICE,	get_policy },
	{ "confidence",		10,	VB_INTEGER,	0,	FOR_DEVICE,	get_confidence },
	{ "severity",		11,	VB_INTEGER,	0,	FOR_BOTH,	get_severity },
	{ "presence",		12,	VB_INTEGER,	0,	FOR_DEVICE,	get_presence },
	{ "handling",		13,	VB_INTEGER,	0,	FOR_DEVICE,	get_handling },
	{ "origin",		14,	VB_INTEGER,	0,	FOR_DEVICE,	get_origin },
	{ "siteName",		15,	VB_OCTETS,	48,	FOR_BOTH,	get_site },
	{ "switchName",		16,	VB_OCTETS,	48,	FOR_BOTH,	get_switch },
	{ "switchLocation",	17,	VB_OCTETS,	48,	FOR_BOTH,	get_where },
	{ "switchAddressType",	18,	VB_INTEGER,	0,	FOR_BOTH,	get_switch_type },
	{ "switchAddress",	19,	VB_OCTETS,	0,	FOR_BOTH,	get_switch_address },
	{ "portIfIndex",	20,	VB_INTEGER,	0,	FOR_DEVICE,	get_if_index },
	{ "portName",		21,	VB_OCTETS,	32,	FOR_DEVICE,	get_port },
	{ "portAlias",		22,	VB_OCTETS,	48,	FOR_DEVICE,	get_alias },
	{ "vlanId",		23,	VB_UNSIGNED,	0,	FOR_DEVICE,	get_vlan },
	{ "deviceAddressType",	24,	VB_INTEGER,	0,	FOR_DEVICE,	get_device_type },
	{ "deviceAddress",	25,	VB_OCTETS,	0,	FOR_DEVICE,	get_device_address },
	{ "locationVerdict",	26,	VB_INTEGER,	0,	FOR_DEVICE,	get_verdict },
	{ "locationReason",	27,	VB_OCTETS,	64,	FOR_DEVICE,	get_reason },
	{ "evidence",		28,	VB_OCTETS,	128,	FOR_DEVICE,	get_evidence },
	{ "count",		29,	VB_UNSIGNED,	0,	FOR_REST,	get_count },
	{ "text",		30,	VB_OCTETS,	128,	FOR_REST,	get_text_line },
};

static unsigned
carried_by(enum event_type type)
{
	return type >= EVENT_DEVICE_DETECTED && type <= EVENT_CONFLICT ? FOR_DEVICE :
	    type > EVENT_CONFLICT && type <= EVENT_AGENT_RECOVERED ? FOR_REST : 0;
}

int
mib_root_parse(const char *text, struct mib_oid *out)
{
	struct mib_oid o = { .n = 0 };

	if (*text == '.')
		text++;
	for (;; text++) {
		char *end;
		unsigned long long arc;

		if (*text < '0' || *text > '9' || o.n == MIB_ROOT_MAX)
			return -EINVAL;
		arc = strtoull(text, &end, 10);
		if (arc > UINT32_MAX)
			return -EINVAL;
		o.arc[o.n++] = (uint32_t)arc;
		text = end;
		if (*text == '\0')
			break;
		if (*text != '.')
			return -EINVAL;
	}
	if (o.n < 2 || o.arc[0] > 2 || (o.arc[0] < 2 && o.arc[1] > 39))
		return -EINVAL;
	*out = o;
	return 0;
}

static size_t
header_size(size_t content)
{
	return content < 128 ? 2 : content < 256 ? 3 : 4;
}

static size_t
oid_size(const struct mib_oid *o)
{
	size_t n = 0;

	for (unsigned i = 1; i < o->n; i++) {
		/* The first two arcs share one number (X.690, 8.19.4). */
		uint64_t arc = i == 1 ? (uint64_t)o->arc[0] * 40 + o->arc[1] : o->arc[i];

		do
			n++;
		while ((arc >>= 7) != 0);
	}
	return n;
}

static size_t
value_size(const struct varbind *v)
{
	size_t n = 1;

	if (v->type == VB_OCTETS)
		return v->len;
	if (v->type == VB_OID)
		return oid_size(&v->oid);
	for (uint32_t x = v->number; x > 127; x >>= 8)
		n++;
	return n;
}

static size_t
varbind_size(const struct varbind *v)
{
	size_t name = oid_size(&v->name), value = value_size(v);
	size_t content = header_size(name) + name + header_size(value) + value;

	return header_size(content) + content;
}

size_t
varbinds_size(const struct varbinds *vs)
{
	size_t n = 0;

	for (size_t i = 0; i < vs->n; i++)
		n += varbind_size(&vs->v[i]);
	return header_size(n) + n;
}

/* Cuts the longest text a little until the list fits: what is short and names something stays whole. */
static void
fit(struct varbinds *vs, const struct object *const of[VARBINDS_MAX], size_t room)
{
	while (varbinds_size(vs) > room) {
		struct varbind *longest = NULL;
		char text[VARBIND_OCTETS_MAX + 1];

		for (size_t i = 0; i < vs->n; i++)
			if (of[i] != NULL && of[i]->size != 0 && of[i]->get != get_id &&
			    (longest == NULL || vs->v[i].len >= longest->len))
				longest = &vs->v[i];
		if (longest == NULL || longest->len <= 8)
			return;
		memcpy(text, longest->octets, longest->len);
		text[longest->len] = '\0';
		put_cut(longest, text, longest->len - 4u);
	}
}

static struct varbind *
add(struct varbinds *vs, const uint32_t *arcs, size_t n, enum varbind_type type)
{
	struct varbind *v = &vs->v[vs->n++];

	assert(vs->n <= VARBINDS_MAX && n <= VARBIND_ARCS_MAX);
	*v = (struct varbind){ .type = type };
	memcpy(v->name.arc, arcs, n * sizeof *arcs);
	v->name.n = (uint8_t)n;
	return v;
}

int
varbinds_of(const struct event *e, const char *agent, const struct mib_oid *root, uint32_t uptime_cs, size_t room,
    struct varbinds *out)
{
	static const uint32_t uptime[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 }, trap_oid[] = { 1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0 };
	const struct object *of[VARBINDS_MAX] = { NULL };
	struct source s = { e, agent };
	struct mib_oid name = *root;
	unsigned on = carried_by(e->type);
	struct varbind *v;

	if (on == 0)
		return -EINVAL;
	assert(root->n <= MIB_ROOT_MAX);
	out->n = 0;
	add(out, uptime, nitems(uptime), VB_TICKS)->number = uptime_cs;
	v = add(out, trap_oid, nitems(trap_oid), VB_OID);
	v->oid = *root;
	v->oid.arc[v->oid.n++] = 0;
	v->oid.arc[v->oid.n++] = e->type;
	name.n = (uint8_t)(root->n + 3);
	name.arc[root->n] = 1;			/* camtrapdEventObjects */
	for (size_t i = 0; i < nitems(objects); i++) {
		if (!(objects[i].on & on))
			continue;
		of[out->n] = &objects[i];
		name.arc[root->n + 1] = objects[i].column;
		name.arc[root->n + 2] = 0;	/* a scalar's instance */
		v = add(out, name.arc, name.n, objects[i].type);
		objects[i].get(v, &s, objects[i].size);
		if (objects[i].type == VB_INTEGER && v->number > INT32_MAX)
			v->number = 0;
	}
	fit(out, of, room);
	return 0;
}

const char *
varbinds_name(enum event_type type, size_t n)
{
	for (size_t i = 0; i < nitems(objects); i++)
		if ((objects[i].on & carried_by(type)) && n-- == 0)
			return objects[i].name;
	return NULL;
}
