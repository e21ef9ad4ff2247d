/* agent/engine/find.c: the document `find`: stations by MAC, address or text, one after the other, so that a million of them never
 * stand in memory as one text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "engine/answer.h"
#include "engine/locate.h"

/* Time 0, which is "not known", where it was there before this run and is not restricted. */
static struct wall
first_seen(const struct engine *e, const struct station *st)
{
	const struct finding *f = finding_of(e, mac_of_u64(st->mac));
	int64_t first = INT64_MAX;

	if (f != NULL)
		return f->d.first_seen;
	for (uint32_t i = 0; i < station_n(st); i++) {
		const struct sighting s = sighting_at(&e->net, st, i);

		first = s.since < first ? s.since : first;
	}
	return (struct wall){ first == 0 || station_n(st) == 0 ? 0 : e->started_wall.us + first * SINCE_US };
}

static json_t *
station_json(const struct engine *e, const struct station *st, const char *organisation)
{
	struct mac mac = mac_of_u64(st->mac);
	struct location l;
	char text[MAC_TEXT];
	json_t *seen = json_array();
	struct wall first = { 0 }, last = { 0 };

	locate(&e->net, mac, &l);
	first = first_seen(e, st);
	for (uint32_t i = 0; i < station_n(st); i++) {
		const struct sighting s = sighting_at(&e->net, st, i);
		const struct port *p = sw_port(s.sw, s.if_index);

		if (s.sw->last_poll.us > last.us)
			last = s.sw->last_poll;
		json_array_append_new(seen, json_pack("{s:s, s:o, s:o, s:o, s:s}", "switch", s.sw->name, "ifIndex",
		    number_or_null(s.if_index), "port", text_or_null(p != NULL ? p->name : NULL), "vlan", number_or_null(s.vlan),
		    "source", row_table_word(s.table)));
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "mac", mac_text(mac, text), "vendor", text_or_null(organisation),
	    "location", location_json(&l), "firstSeen", time_json(first), "lastSeen", time_json(last), "sightings", seen,
	    "history", json_array());
}

/* MACs that something else than their digits or their maker names: ascending, each once. */
struct named { uint64_t *v; size_t n, cap; };

static void
named_add(struct named *m, uint64_t mac)
{
	if (array_grow((void **)&m->v, m->n, &m->cap, sizeof *m->v) == 0)
		m->v[m->n++] = mac;
}

static int
u64_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* "10.20" is the beginning of an address: it ends there, or at a dot or colon. */
static bool
begins_with(const char *address, const char *part)
{
	size_t n = strlen(part);

	return strncasecmp(address, part, n) == 0 && (address[n] == '\0' || strchr(".:", address[n]) != NULL || strchr(".:", part[n - 1]) != NULL);
}

static void
named_by_address(const struct engine *e, const char *text, struct named *m)
{
	if (strspn(text, "0123456789abcdefABCDEF.:") != strlen(text) || strpbrk(text, ".:") == NULL)
		return;
	for (size_t i = 0; i < e->net.n_switches; i++) {
		const struct sw *sw = e->net.switches[i];
		struct row_ref ref;
		struct row r;
		char address[IP_TEXT];

		for (size_t at = 0; sw->has_arp && rowset_next(&sw->table.rest, &at, &ref);)
			if (ref.p[0] == ROW_ARP && row_unpack(ref.p, ref.n, &r) == 0 && begins_with(ip_text(&r.arp.ip, address), text))
				named_add(m, mac_u64(r.arp.mac));
	}
	for (size_t i = 0; i < e->n_findings; i++) {
		char address[IP_TEXT];

		if (e->findings[i]->d.ip.family != 0 && begins_with(ip_text(&e->findings[i]->d.ip, address), text))
			named_add(m, mac_u64(e->findings[i]->d.mac));
	}
}

static bool
octets_have(const struct octets *o, const char *text)
{
	char clean[TEXT_MAX + 1];

	return o->n > 0 && strcasestr(octets_text(o, clean, sizeof clean), text) != NULL;
}

static void
named_by_neighbour(const struct engine *e, const char *text, struct named *m)
{
	for (size_t i = 0; i < e->net.n_switches; i++)
		for (size_t k = 0; k < e->net.switches[i]->n_neighbours; k++) {
			const struct row_neighbour *nb = &e->net.switches[i]->neighbours[k].neighbour;
			struct mac own[2];
			size_t n = neighbour_macs(nb, own);

			if (n > 0 && (octets_have(&nb->sys_name, text) || octets_have(&nb->sys_desc, text) || octets_have(&nb->med_maker, text) ||
			    octets_have(&nb->med_model, text) || octets_have(&nb->med_serial, text)))
				while (n-- > 0)
					named_add(m, mac_u64(own[n]));
		}
}

static void
named_by_finding(const struct engine *e, const char *text, struct named *m)
{
	for (size_t i = 0; i < e->n_findings; i++) {
		const struct detection *d = &e->findings[i]->d;
		bool hit = strcasestr(d->vendor, text) != NULL || strcasestr(d->location.place.alias, text) != NULL;

		for (size_t k = 0; k < d->n_evidence && !hit; k++)
			hit = strcasestr(d->evidence[k].value, text) != NULL;
		if (hit)
			named_add(m, mac_u64(d->mac));
	}
}

static bool
station_matches(const char *digits, const char *text, const struct named *m, const struct station *st, const char *organisation)
{
	const uint64_t mac = st->mac;
	char hex[13];

	if (m->n > 0 && bsearch(&mac, m->v, m->n, sizeof *m->v, u64_order) != NULL)
		return true;
	snprintf(hex, sizeof hex, "%012llx", (unsigned long long)mac);
	if (digits[0] != '\0' && strstr(hex, digits) != NULL)
		return true;
	return organisation != NULL && strcasestr(organisation, text) != NULL;
}

/* ---- listings: an answer that is given as fast as views takes it */

struct listing { struct listing *next; uint32_t id; uint64_t *macs; size_t n, at; };

void
answer_find(struct engine *e, const struct msg_query *q)
{
	struct listing *l = calloc(1, sizeof *l), **end = &e->listings;
	struct named named = { 0 };
	char digits[13] = "";

	if (l == NULL || (l->macs = calloc(e->net.n_stations + 1, sizeof *l->macs)) == NULL) {
		free(l);
		answer_error(e, q->id, "out of memory", NULL);
		return;
	}
	if (!q->all && q->argument[0] != '\0') {
		mac_digits(q->argument, digits);
		named_by_address(e, q->argument, &named);
		named_by_neighbour(e, q->argument, &named);
		named_by_finding(e, q->argument, &named);
		if (named.n > 0)
			qsort(named.v, named.n, sizeof *named.v, u64_order);
	}
	for (size_t i = 0; i < e->net.n_slots; i++) {
		const struct station *st = &e->net.slots[i];

		if (st->mac != 0 && station_n(st) > 0 && (q->all || (q->argument[0] != '\0' && station_matches(digits, q->argument, &named, st,
		    registry_lookup(e->registry, mac_of_u64(st->mac)).organisation))))
			l->macs[l->n++] = st->mac;
	}
	free(named.v);
	qsort(l->macs, l->n, sizeof *l->macs, u64_order);
	l->id = q->id;
	while (*end != NULL)
		end = &(*end)->next;
	*end = l;
	listings_go(e);
}

static void
listing_end(struct engine *e)
{
	struct listing *l = e->listings;

	e->listings = l->next;
	free(l->macs);
	free(l);
}

/* One piece. A station that has gone since the question was asked is passed over. */
static void
listing_piece(struct engine *e, struct listing *l)
{
	struct buf out = { 0 };
	bool first = l->at == 0;
	size_t before = out.len;

	if (first)
		buf_printf(&out, "{\"version\":1,\"stations\":[");
	before = out.len;
	for (; l->at < l->n && out.len < PIECE / 2; l->at++) {
		const struct station *st = net_station(&e->net, mac_of_u64(l->macs[l->at]));
		json_t *one = st != NULL && station_n(st) > 0 ? station_json(e, st, registry_lookup(e->registry, mac_of_u64(st->mac)).organisation) : NULL;
		char *text = one != NULL ? json_dumps(one, JSON_COMPACT) : NULL;

		if (text != NULL) {
			if (!first || out.len > before)
				put_u8(&out, ',');
			put_bytes(&out, text, strlen(text));
		}
		free(text);
		json_decref(one);
	}
	if (l->at == l->n)
		put_bytes(&out, "]}", 2);
	for (size_t at = 0; at < out.len; at += PIECE)
		e->ops->answer(e->arg, l->id, (const char *)out.p + at, out.len - at < PIECE ? out.len - at : PIECE,
		    l->at < l->n || out.len - at > PIECE);
	buf_free(&out);
}

void
listings_go(struct engine *e)
{
	while (e->listings != NULL && (e->ops->answer_busy == NULL || !e->ops->answer_busy(e->arg))) {
		struct listing *l = e->listings;

		listing_piece(e, l);
		if (l->at == l->n)
			listing_end(e);
	}
}

void
listings_free(struct engine *e)
{
	while (e->listings != NULL)
		listing_end(e);
}
