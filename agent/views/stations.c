/* agent/views/stations.c: cuts the document {"version":1,"stations":[{…},{…}]} into its stations and adds the restricted ones'
 * history. It relies on the document being JSON, not on where the pieces were cut. */
#include "views/stations.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/num.h"
#include "model/detection.h"
#include "store/store.h"
#include "views/documents.h"

#define STATION_MAX (1u << 20)		/* octets of one station's text */
#define IN_LIST 2			/* depth between two stations */

struct restricted { uint64_t mac; uint32_t id; uint8_t presence; bool shown, wanted; };

struct stations {
	struct restricted *known;	/* sorted by mac */
	size_t		   n, cap;
	bool		   all;
	/* What was asked for. */
	struct ip	   ip;
	char		   digits[13];
	const char	  *text;
	char		   argument[FIND_ARGUMENT];
	/* Where the document stands. */
	unsigned	   depth;
	bool		   in_string, escaped, any, broken;
	struct buf	   one;		/* the station being read */
};

void
find_argument(const char *typed, char out[static FIND_ARGUMENT])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[IP_TEXT];
	struct mac mac;
	struct ip ip;

	if (mac_parse(typed, &mac) == 0) {
		mac_text(mac, text);
	} else if (ip_parse(typed, &ip) == 0) {
		if (ip.family == 6 && memcmp(ip.b, mapped, sizeof mapped) == 0)
			ip = ip_of(ip.b + 12, 4);
		ip_text(&ip, text);
	} else {
		snprintf(out, FIND_ARGUMENT, "%s", typed);
		return;
	}
	snprintf(out, FIND_ARGUMENT, "%s", text);
}

static bool
is_wanted(const struct stations *st, const struct detection *d)
{
	char hex[13];

	if (st->all || st->text[0] == '\0')
		return false;
	snprintf(hex, sizeof hex, "%012llx", (unsigned long long)mac_u64(d->mac));
	return (st->digits[0] != '\0' && strstr(hex, st->digits) != NULL) || (st->ip.family != 0 && ip_eq(&st->ip, &d->ip)) ||
	    strcasestr(d->vendor, st->text) != NULL;
}

static int
known_each(void *arg, const struct detection *d)
{
	struct stations *st = arg;

	if (array_grow((void **)&st->known, st->n, &st->cap, sizeof *st->known) < 0) {
		st->broken = true;
		return 1;
	}
	st->known[st->n++] = (struct restricted){ .mac = mac_u64(d->mac), .id = d->id, .presence = (uint8_t)d->presence,
	    .wanted = is_wanted(st, d) };
	return 0;
}

static int
known_order(const void *a, const void *b)
{
	const struct restricted *x = a, *y = b;

	return (x->mac > y->mac) - (x->mac < y->mac);
}

struct stations *
stations_new(struct store *s, const char *argument, bool all, bool *store_failed)
{
	struct stations *st = calloc(1, sizeof *st);

	*store_failed = false;
	if (st == NULL)
		return NULL;
	snprintf(st->argument, sizeof st->argument, "%s", argument);
	st->text = st->argument;
	st->all = all;
	mac_digits(argument, st->digits);
	ip_parse(argument, &st->ip);
	if (s != NULL && store_detections(s, known_each, st) < 0)
		*store_failed = true;
	if (*store_failed || st->broken) {
		stations_free(st);
		return NULL;
	}
	if (st->n > 0)
		qsort(st->known, st->n, sizeof *st->known, known_order);
	return st;
}

static int
presence_each(void *arg, const struct place *at, struct wall from, struct wall to)
{
	return json_array_append_new(arg, presence_json(at, from, to));
}

static json_t *
history_of(struct store *s, uint32_t id)
{
	json_t *list = json_array();

	if (s != NULL && list != NULL)
		store_presences(s, id, presence_each, list);
	return list;
}

static void
put_json(struct buf *out, json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	if (text != NULL)
		put_bytes(out, text, strlen(text));
	else
		out->bad = true;
	free(text);
	json_decref(o);
}

/* The MAC of a station's text; false: it has none, which is not our station. */
static bool
mac_of(const struct buf *b, uint64_t *out)
{
	static const char start[] = "{\"mac\":\"";
	size_t n = sizeof start - 1;
	char text[MAC_TEXT];
	struct mac m;

	if (b->len < n + MAC_TEXT || memcmp(b->p, start, n) != 0)
		return false;
	memcpy(text, b->p + n, MAC_TEXT - 1);
	text[MAC_TEXT - 1] = '\0';
	if (mac_parse(text, &m) < 0)
		return false;
	*out = mac_u64(m);
	return true;
}

static struct restricted *
known_of(const struct stations *st, uint64_t mac)
{
	struct restricted key = { .mac = mac };

	return st->n > 0 ? bsearch(&key, st->known, st->n, sizeof *st->known, known_order) : NULL;
}

static void
comma_put(struct stations *st, struct buf *out)
{
	if (st->any)
		put_u8(out, ',');
	st->any = true;
}

/* The station in `one` is whole. */
static void
station_done(struct stations *st, struct store *s, struct buf *out)
{
	struct restricted *r = NULL;
	json_t *o = NULL;
	uint64_t mac;

	assert(st->depth == IN_LIST);
	comma_put(st, out);
	if (mac_of(&st->one, &mac) && (r = known_of(st, mac)) != NULL)
		o = json_loadb((const char *)st->one.p, st->one.len, 0, NULL);
	if (o == NULL) {
		put_bytes(out, st->one.p, st->one.len);
		return;
	}
	r->shown = true;
	station_restricted(o, r->id, r->presence, history_of(s, r->id));
	put_json(out, o);
}

struct absent { struct stations *st; struct store *s; struct buf *out; };

static int
absent_each(void *arg, const struct detection *d)
{
	struct absent *a = arg;
	const struct restricted *r = known_of(a->st, mac_u64(d->mac));
	json_t *o;

	if (r == NULL || r->shown || !r->wanted || (o = absent_station_json(d, history_of(a->s, d->id))) == NULL)
		return 0;
	comma_put(a->st, a->out);
	put_json(a->out, o);
	return 0;
}

/* The list ends: devices that were asked for and that no switch shows now. */
static void
add_absent(struct stations *st, struct store *s, struct buf *out)
{
	struct absent a = { st, s, out };
	bool any = false;

	for (size_t i = 0; i < st->n && !any; i++)
		any = st->known[i].wanted && !st->known[i].shown;
	if (any && s != NULL)
		store_detections(s, absent_each, &a);
}

void
stations_piece(struct stations *st, struct store *s, const void *p, size_t n, struct buf *out)
{
	const char *text = p;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];
		bool inside = st->depth > IN_LIST;

		if (st->in_string) {
			st->in_string = st->escaped || c != '"';
			st->escaped = !st->escaped && c == '\\';
		} else if (c == '"') {
			st->in_string = true;
		} else if (c == '{' || c == '[') {
			st->depth++;
		} else if (c == '}' || c == ']') {
			if (st->depth == IN_LIST)
				add_absent(st, s, out);
			st->depth -= st->depth > 0;
		}
		if (!inside && st->depth <= IN_LIST) {
			/* The comma between two stations is put before the second one: by us. */
			if (st->depth != IN_LIST || st->in_string || c != ',')
				put_u8(out, (uint8_t)c);
			continue;
		}
		if (st->one.len < STATION_MAX)
			put_u8(&st->one, (uint8_t)c);
		if (st->depth == IN_LIST) {
			station_done(st, s, out);
			buf_clear(&st->one);
		}
	}
	if (st->one.bad)
		out->bad = true;
}

void
stations_free(void *arg)
{
	struct stations *st = arg;

	if (st == NULL)
		return;
	buf_free(&st->one);
	free(st->known);
	free(st);
}
