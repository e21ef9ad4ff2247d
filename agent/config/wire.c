/* agent/config/wire.c: what each role is told, from the schema. Encoding leaves out what a role must not have;
 * decoding trusts nothing: ranges, counts and lengths are checked again, and memory grows with octets that arrived. */
#include "config/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define WIRE_MAGIC	0x43544331u	/* "CTC1" */
#define WIRE_LIST_MAX	65535
#define WIRE_TEXT_MAX	4095

static void
put_key(struct buf *b, const struct conf_key *k, const void *obj)
{
	const char *at = (const char *)obj + k->off;
	const struct strlist *l;
	const struct ip *ip;
	size_t n;

	switch (k->kind) {
	case K_TEXT: case K_FILE: case K_HOST: case K_MATCH:
		put_u8(b, *(char *const *)at != NULL);
		if (*(char *const *)at != NULL)
			put_text(b, *(char *const *)at);
		if (k->kind == K_HOST)
			put_u16(b, *(const uint16_t *)((const char *)obj + k->off2));
		break;
	case K_UINT: case K_DURATION:
		put_u32(b, *(const uint32_t *)at);
		break;
	case K_BOOL:
		put_u8(b, *(const bool *)at);
		break;
	case K_ENUM:
		put_u8(b, (uint8_t)key_enum_get(k, obj));
		break;
	case K_TEXTS: case K_FILES: case K_LISTEN: case K_NETS: case K_ONE:
		l = (const struct strlist *)at;
		put_u32(b, (uint32_t)l->n);
		for (size_t i = 0; i < l->n; i++)
			put_text(b, l->v[i]);
		break;
	case K_ADDRESS:
		ip = &((const struct ip_port *)at)->ip;
		put_octets(b, ip->b, ip_len(ip));
		put_u16(b, ((const struct ip_port *)at)->port);
		break;
	case K_IP:
		put_octets(b, ((const struct ip *)at)->b, ip_len((const struct ip *)at));
		break;
	case K_IPS: case K_VLANS:
		n = *(const size_t *)((const char *)obj + k->off2);
		put_u32(b, (uint32_t)n);
		for (size_t i = 0; i < n; i++) {
			if (k->kind == K_VLANS) {
				put_u16(b, (*(uint16_t *const *)at)[i]);
			} else {
				ip = &(*(struct ip *const *)at)[i];
				put_octets(b, ip->b, ip_len(ip));
			}
		}
		break;
	}
}

static void
put_keys_of(struct buf *b, enum conf_group_id id, const void *obj, unsigned bit)
{
	for (const struct conf_key *k = conf_groups[id].keys; k->name != NULL; k++) {
		if ((k->roles & bit) && !(k->flags & F_HIDDEN))
			put_key(b, k, obj);
	}
}

static bool
list_has(const struct strlist *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->v[i], name) == 0)
			return true;
	}
	return false;
}

static bool
is_of_poller(const struct conf *c, const struct conf_switch *s, unsigned index)
{
	return c->pollers != 0 && s->key % c->pollers == index;
}

static bool
is_told(const struct conf *c, enum conf_group_id id, size_t i, enum conf_for role, unsigned index)
{
	if (id == G_SWITCHES && role == CONF_FOR_POLLER)
		return is_of_poller(c, &c->switches[i], index);
	if (id == G_CREDENTIALS && role == CONF_FOR_POLLER) {
		for (size_t s = 0; s < c->n_switches; s++) {
			if (is_of_poller(c, &c->switches[s], index) && list_has(&c->switches[s].credentials, c->credentials[i].name))
				return true;
		}
		return false;
	}
	if (id == G_CREDENTIALS && role == CONF_FOR_NOTIFY) {
		for (size_t r = 0; r < c->n_receivers; r++) {
			if (str_eq(c->receivers[r].credential, c->credentials[i].name))
				return true;
		}
		return false;
	}
	return true;
}

void
conf_encode(const struct conf *c, enum conf_for role, unsigned index, struct buf *out)
{
	unsigned bit = 1u << role;

	assert(role <= CONF_FOR_VIEWS && (role != CONF_FOR_POLLER || index < c->pollers));
	put_u32(out, WIRE_MAGIC);
	put_u8(out, (uint8_t)role);
	put_text(out, role == CONF_FOR_ENGINE ? c->path : "");
	for (size_t id = 0; id < G_N; id++) {
		const struct conf_group *g = &conf_groups[id];
		size_t n = group_count(g, c), told = 0;

		if (!(g->roles & bit))
			continue;
		for (size_t i = 0; i < n; i++)
			told += is_told(c, (enum conf_group_id)id, i, role, index);
		if (g->what != NULL)
			put_u32(out, (uint32_t)told);
		for (size_t i = 0; i < n; i++) {
			if (!is_told(c, (enum conf_group_id)id, i, role, index))
				continue;
			put_keys_of(out, (enum conf_group_id)id, group_element(g, c, i), bit);
		}
	}
	if (role == CONF_FOR_ENGINE)
		policies_encode(out, &c->policies);
}

/* Compared as it is encoded: no key can be forgotten here. */
bool
conf_same_receiver(const struct conf *a, const struct conf_receiver *of_a, const struct conf *b, const struct conf_receiver *of_b)
{
	const struct conf_credential *of[2] = { conf_credential(a, of_a->credential), conf_credential(b, of_b->credential) };
	const struct conf_receiver *receiver[2] = { of_a, of_b };
	struct buf told[2] = { { 0 }, { 0 } };
	bool same = of[0] != NULL && of[1] != NULL;

	for (size_t i = 0; i < 2 && same; i++) {
		put_keys_of(&told[i], G_RECEIVERS, receiver[i], R_NOTIFY);
		put_keys_of(&told[i], G_CREDENTIALS, of[i], R_NOTIFY);
	}
	same = same && !told[0].bad && !told[1].bad && told[0].len == told[1].len && memcmp(told[0].p, told[1].p, told[0].len) == 0;
	for (size_t i = 0; i < 2; i++) {
		if (told[i].p != NULL)
			explicit_bzero(told[i].p, told[i].len);
		buf_free(&told[i]);
	}
	return same;
}

static struct ip
get_ip(struct msg_in *m)
{
	size_t n;
	const uint8_t *p = get_octets(m, &n);

	if (p == NULL || (n != 0 && n != 4 && n != 16)) {
		m->bad |= n != 0 || p == NULL;
		return (struct ip){ 0 };
	}
	return n == 0 ? (struct ip){ 0 } : ip_of(p, (unsigned)n);
}

static void
get_list(struct msg_in *m, struct strlist *l, size_t max)
{
	uint32_t n = get_u32(m);

	if (n > WIRE_LIST_MAX || n > max)
		m->bad = true;
	for (uint32_t i = 0; i < n && !m->bad; i++) {
		size_t len;
		const uint8_t *p = get_octets(m, &len);

		if (m->bad || len > WIRE_TEXT_MAX || (len > 0 && memchr(p, '\0', len) != NULL) ||
		    strlist_add(l, len > 0 ? (const char *)p : "", len) < 0)
			m->bad = true;
	}
}

static void
get_array(struct msg_in *m, const struct conf_key *k, void *obj)
{
	void **array = (void **)((char *)obj + k->off);
	size_t *count = (size_t *)((char *)obj + k->off2), cap = 0;
	size_t size = k->kind == K_VLANS ? sizeof(uint16_t) : sizeof(struct ip);
	uint32_t n = get_u32(m);

	if (n > WIRE_LIST_MAX || n > k->max)
		m->bad = true;
	for (uint32_t i = 0; i < n && !m->bad; i++) {
		if (array_grow(array, *count, &cap, size) < 0) {
			m->bad = true;
			return;
		}
		if (k->kind == K_VLANS) {
			uint16_t v = get_u16(m);

			m->bad |= v < k->min || v > k->max;
			((uint16_t *)*array)[(*count)++] = v;
		} else {
			struct ip ip = get_ip(m);

			m->bad |= ip.family == 0;
			((struct ip *)*array)[(*count)++] = ip;
		}
	}
}

static void
get_key(struct msg_in *m, const struct conf_key *k, void *obj)
{
	char *at = (char *)obj + k->off;
	uint8_t v;

	switch (k->kind) {
	case K_TEXT: case K_FILE: case K_HOST: case K_MATCH:
		if ((v = get_u8(m)) > 1)
			m->bad = true;
		else if (v == 1)
			*(char **)at = get_text(m, (k->flags & F_SECRET) || k->max > WIRE_TEXT_MAX ? WIRE_TEXT_MAX : k->max);
		else if ((k->flags & F_REQUIRED) || k->dflt != NULL)
			m->bad = true;
		if (k->kind == K_HOST && (*(uint16_t *)((char *)obj + k->off2) = get_u16(m)) == 0)
			m->bad = true;
		break;
	case K_UINT: case K_DURATION:
		*(uint32_t *)at = get_u32(m);
		m->bad |= *(uint32_t *)at < k->min || *(uint32_t *)at > k->max;
		break;
	case K_BOOL:
		v = get_u8(m);
		m->bad |= v > 1;
		*(bool *)at = v == 1;
		break;
	case K_ENUM:
		v = get_u8(m);
		if (key_enum_text(k, v) == NULL)
			m->bad = true;
		else
			key_enum_set(k, obj, v);
		break;
	case K_TEXTS: case K_FILES: case K_LISTEN: case K_NETS: case K_ONE:
		get_list(m, (struct strlist *)at, k->max);
		break;
	case K_ADDRESS:
		((struct ip_port *)at)->ip = get_ip(m);
		((struct ip_port *)at)->port = get_u16(m);
		m->bad |= ((struct ip_port *)at)->ip.family == 0 || ((struct ip_port *)at)->port == 0;
		break;
	case K_IP:
		*(struct ip *)at = get_ip(m);
		break;
	case K_IPS: case K_VLANS:
		get_array(m, k, obj);
		break;
	}
}

static void
get_group(struct msg_in *m, const struct conf_group *g, unsigned bit, struct conf *c)
{
	void **array = (void **)((char *)c + g->off);
	size_t *count = (size_t *)((char *)c + g->off_n), cap = 0;
	uint32_t n = g->what != NULL ? get_u32(m) : 1;

	for (uint32_t i = 0; i < n && !m->bad; i++) {
		void *obj = c;

		if (g->what != NULL) {
			if (array_grow(array, *count, &cap, g->size) < 0) {
				m->bad = true;
				return;
			}
			obj = (char *)*array + (*count)++ * g->size;
			memset(obj, 0, g->size);
		}
		for (const struct conf_key *k = g->keys; k->name != NULL && !m->bad; k++) {
			if ((k->roles & bit) && !(k->flags & F_HIDDEN))
				get_key(m, k, obj);
		}
		if (g->preset != NULL)
			g->preset(obj);
	}
}

struct conf *
conf_decode(const void *p, size_t n)
{
	struct msg_in m = msg_in_of(p, n);
	struct conf *c = calloc(1, sizeof *c);
	unsigned role;

	if (c == NULL)
		return NULL;
	m.bad |= get_u32(&m) != WIRE_MAGIC;
	role = get_u8(&m);
	m.bad |= role > CONF_FOR_VIEWS;
	c->path = get_text(&m, WIRE_TEXT_MAX);
	for (size_t g = 0; g < G_N && !m.bad; g++) {
		if (conf_groups[g].roles & (1u << role))
			get_group(&m, &conf_groups[g], 1u << role, c);
	}
	if (!m.bad && role == CONF_FOR_ENGINE && policies_decode(&m, &c->policies) < 0)
		m.bad = true;
	if (m.bad || !msg_in_done(&m) || conf_index(c) < 0) {
		conf_free(c);
		return NULL;
	}
	return c;
}
