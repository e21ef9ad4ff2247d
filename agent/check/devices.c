/* agent/check/devices.c: restricted devices that are there, and those that are new. A device whose switch cannot be asked counts as
 * there: a camera does not go away because nobody looks. */
#include "check/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define NAMED_MAX 3			/* devices in the first line */

/* A device that counts. */
struct hit { const json_t *device; const char *at; };	/* at: the time it is sorted by */
struct hits { struct hit *hit; size_t n, cap; };

static void
hit_add(struct judge *j, struct hits *h, const json_t *device, const char *at)
{
	if (array_grow((void **)&h->hit, h->n, &h->cap, sizeof *h->hit) < 0)
		result_problem(j->r, CHECK_UNKNOWN, "out of memory");
	else
		h->hit[h->n++] = (struct hit){ device, at };
}

/* The latest first; times in documents sort as texts. */
static int
hit_compare(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;
	json_int_t m = json_integer_value(json_object_get(x->device, "id")), n = json_integer_value(json_object_get(y->device, "id"));
	int rc = strcmp(y->at, x->at);

	return rc != 0 ? rc : (n > m) - (n < m);
}

static bool
is(struct judge *j, const json_t *device, const char *path, const char *word)
{
	return strcmp(text_at(j, device, path), word) == 0;
}

/* "Hikvision at acc-007 Gi1/0/5": who made it, and the best that is known of where it is. */
static void
device_words(struct judge *j, const json_t *d, struct buf *b)
{
	const char *vendor = text_at(j, d, "vendor"), *name = text_at(j, d, "location.switch"), *port = text_at(j, d, "location.port");
	const char *way = is(j, d, "location.verdict", "access") || is(j, d, "location.verdict", "shared") ? "at" : "beyond";

	buf_printf(b, "%s %s", text_at(j, d, "mac"), vendor[0] != '\0' ? vendor : "of an unknown maker");
	if (name[0] == '\0' || is(j, d, "location.verdict", "unknown"))
		buf_printf(b, ", place not known");
	else
		buf_printf(b, " %s %s %s", way, name, port[0] != '\0' ? port : "port not known");
}

static void
device_line(struct judge *j, const json_t *d, const char *at)
{
	const char *site = text_at(j, d, "site"), *ip = text_at(j, d, "ip"), *alias = text_at(j, d, "location.alias");
	struct buf b = { 0 };
	struct wall t;
	char age[24];

	device_words(j, d, &b);
	if (site[0] != '\0')
		buf_printf(&b, ", site %s", site);
	buf_printf(&b, ": %s, %s, %s, %s", text_at(j, d, "severity"), text_at(j, d, "handling"), text_at(j, d, "origin"),
	    text_at(j, d, "presence"));
	if (wall_parse(at, &t) == 0)
		buf_printf(&b, " for %s", age_words(t.us < j->q->now.us ? (uint64_t)(j->q->now.us - t.us) / 1000000 : 0, age));
	if (ip[0] != '\0')
		buf_printf(&b, ", %s", ip);
	if (alias[0] != '\0')
		buf_printf(&b, ", port says: %s", alias);
	result_line(j->r, "%s", buf_text(&b) != NULL ? buf_text(&b) : "out of memory");
	buf_free(&b);
}

/* The latest in the first line, and all of them below. */
static void
hits_say(struct judge *j, struct hits *h)
{
	if (h->n > 1)
		qsort(h->hit, h->n, sizeof *h->hit, hit_compare);
	for (size_t i = 0; i < h->n; i++) {
		if (i < NAMED_MAX) {
			struct buf b = { 0 };

			device_words(j, h->hit[i].device, &b);
			result_summary(j->r, "%s%s", i == 0 ? ": " : ", ", buf_text(&b) != NULL ? buf_text(&b) : "out of memory");
			buf_free(&b);
		}
		device_line(j, h->hit[i].device, h->hit[i].at);
	}
	if (h->n > NAMED_MAX)
		result_summary(j->r, ", and %zu more", h->n - NAMED_MAX);
	free(h->hit);
}

struct counts { unsigned long long devices, open, acknowledged, waived, stale; };

/* A waived one is there by permission, of a removed one nobody wants to hear: neither alarms. */
static void
present_count(struct judge *j, struct counts *n, struct hits *h)
{
	const json_t *list = list_at(j, j->d->devices, "devices"), *d;
	size_t i;

	json_array_foreach(list, i, d) {
		bool open = is(j, d, "handling", "open"), acknowledged = is(j, d, "handling", "acknowledged");

		if (is(j, d, "presence", "gone"))
			continue;
		n->waived += is(j, d, "handling", "waived");
		if (!open && !acknowledged)
			continue;
		n->devices++;
		n->open += open;
		n->acknowledged += acknowledged;
		n->stale += is(j, d, "presence", "stale");
		hit_add(j, h, d, text_at(j, d, "firstSeen"));
	}
}

/* Without thresholds an open device is CRITICAL, an acknowledged one WARNING; with them, their number counts. */
void
judge_present(struct judge *j)
{
	const struct question *q = j->q;
	bool own = q->warning.set || q->critical.set;
	struct range any = range_above(0), none = { 0 };
	const struct range *warning = own ? &q->warning : &any, *critical = own ? &q->critical : &none, *open = own ? &none : &any;
	struct counts n = { 0 };
	struct hits h = { 0 };
	struct scope scope;

	scope_judge(j, &scope);
	present_count(j, &n, &h);
	result_raise(j->r, threshold_state(warning, critical, (double)n.devices));
	result_raise(j->r, threshold_state(&none, open, (double)n.open));
	if (n.devices == 0)
		result_summary(j->r, "no restricted device is present");
	else
		result_summary(j->r, "%llu restricted device%s present, %llu open", n.devices, plural((long long)n.devices), n.open);
	if (n.stale > 0)
		result_summary(j->r, ", %llu on switches that cannot be asked", n.stale);
	if (n.waived > 0)
		result_summary(j->r, ", %llu waived", n.waived);
	scope_say(j, &scope);
	hits_say(j, &h);
	result_perf(j->r, "devices", n.devices, "", warning, critical);
	result_perf(j->r, "open", n.open, "", &none, open);
	result_perf(j->r, "acknowledged", n.acknowledged, "", NULL, NULL);
	result_perf(j->r, "waived", n.waived, "", NULL, NULL);
	result_perf(j->r, "stale", n.stale, "", NULL, NULL);
}

/* When it came: at first, or again. NULL: it was there before we looked, or a policy brought it up. */
static const char *
came_at(struct judge *j, const json_t *d)
{
	return is(j, d, "origin", "new") || is(j, d, "origin", "returned") ? text_at(j, d, "arrivedAt") : NULL;
}

/* One whose time is not known or later than now (the clock was set back) counts as new. */
static bool
is_within(struct judge *j, const char *at)
{
	struct wall t;

	return wall_parse(at, &t) < 0 || j->q->now.us - t.us <= (int64_t)j->q->since_ms * 1000;
}

/* New ones of which nobody took notice; those that went again among them: somebody plugged them in. */
static void
new_count(struct judge *j, unsigned long long *gone, struct hits *h)
{
	const json_t *list = list_at(j, j->d->devices, "devices"), *d;
	size_t i;

	json_array_foreach(list, i, d) {
		const char *at = came_at(j, d);

		if (at == NULL || !is(j, d, "handling", "open") || !is_within(j, at))
			continue;
		*gone += is(j, d, "presence", "gone");
		hit_add(j, h, d, at);
	}
}

void
judge_new(struct judge *j)
{
	const struct question *q = j->q;
	bool own = q->warning.set || q->critical.set;
	struct range any = range_above(0);
	const struct range *critical = own ? &q->critical : &any;
	unsigned long long gone = 0;
	struct hits h = { 0 };
	struct scope scope;
	size_t n;
	char since[24];

	scope_judge(j, &scope);
	new_count(j, &gone, &h);
	n = h.n;
	result_raise(j->r, threshold_state(&q->warning, critical, (double)n));
	duration_words(q->since_ms, since);
	if (n == 0)
		result_summary(j->r, "no new restricted device within %s", since);
	else
		result_summary(j->r, "%zu new restricted device%s within %s", n, plural((long long)n), since);
	if (gone > 0)
		result_summary(j->r, ", %llu gone again", gone);
	scope_say(j, &scope);
	hits_say(j, &h);
	result_perf(j->r, "new", n, "", &q->warning, critical);
	result_perf(j->r, "gone", gone, "", NULL, NULL);
}
