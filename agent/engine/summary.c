/* agent/engine/summary.c: findings that are not told one by one: stock of a switch on a site that is not paged, and what comes
 * past the eighth alarm of a port in a minute. Whether a finding was counted is written with the summary that counts it, so that
 * a crash neither loses nor repeats one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "engine/core.h"

#define ALARMS_PER_PORT 8
#define ALARMS_WITHOUT_PORT 32		/* of a switch whose own ports contradict each other */
#define FLOOD_MS 60000
#define OWED_MS 1000

/* ---- floods */

static struct flood *
flood_of(struct engine *e, const struct place *at)
{
	for (size_t i = 0; i < FLOODS_MAX; i++) {
		struct flood *x = &e->floods[i];

		if (x->count > 0 && x->if_index == at->if_index && strcmp(x->switch_name, at->switch_name) == 0)
			return x;
	}
	return NULL;
}

static bool
is_over(const struct flood *x, struct moment now)
{
	return mono_since(x->start, now.mono) > FLOOD_MS;
}

/* Whose alarms are counted together: those of a port, or, where two ports show it and neither is its place, of the switch. */
static struct place
flood_place(const struct location *l)
{
	struct place at = l->place;

	if (at.switch_name[0] == '\0' && l->n_candidates > 0)
		memcpy(at.switch_name, l->candidates[0].switch_name, sizeof at.switch_name);
	return at;
}

bool
port_may_alarm(struct engine *e, const struct location *l, struct moment now)
{
	const struct place at = flood_place(l);
	const struct flood *slot = flood_of(e, &at);

	return at.switch_name[0] == '\0' || slot == NULL || is_over(slot, now) ||
	    slot->count < (at.if_index != 0 ? ALARMS_PER_PORT : ALARMS_WITHOUT_PORT);
}

void
port_alarmed(struct engine *e, const struct location *l, bool singly, struct moment now)
{
	const struct place of = flood_place(l), *at = &of;
	struct flood *slot = flood_of(e, at);

	if (!singly) {
		e->counters[CNT_FLOODED]++;
		return;
	}
	if (at->switch_name[0] == '\0')
		return;				/* nothing is flooded by what nobody shows */
	for (size_t i = 0; slot == NULL && i < FLOODS_MAX; i++)
		if (e->floods[i].count == 0 || is_over(&e->floods[i], now))
			slot = &e->floods[i], slot->count = 0;
	if (slot == NULL)
		return;				/* 64 ports alarm within a minute: each of them is told */
	if (slot->count == 0 || is_over(slot, now)) {
		*slot = (struct flood){ .if_index = at->if_index, .start = now.mono };
		memcpy(slot->switch_name, at->switch_name, sizeof slot->switch_name);
	}
	slot->count++;
}

/* ---- what is owed */

typedef bool owed_fn(const struct engine *e, const struct finding *f, const void *arg);

static bool
is_owed(const struct finding *f)
{
	return f->d.announced && f->d.told == TOLD_NOT;
}

/* An array of the caller, or NULL when there is none (or no memory: asked again). */
static struct finding **
owed(const struct engine *e, owed_fn *which, const void *arg, size_t *n)
{
	struct finding **list = calloc(e->n_findings + 1, sizeof *list);

	*n = 0;
	for (size_t i = 0; list != NULL && i < e->n_findings; i++)
		if (is_owed(e->findings[i]) && which(e, e->findings[i], arg))
			list[(*n)++] = e->findings[i];
	if (*n > 0)
		return list;
	free(list);
	return NULL;
}

/* The event and the marks of all that it counts, together on disk. Frees `list`. */
static int
owed_tell(struct engine *e, struct event *ev, struct finding **list, size_t n, struct moment now)
{
	int rc;

	do {
		rc = change_begin(e);
		for (size_t i = 0; i < n && rc == 0; i++) {
			list[i]->d.told = TOLD_COUNTED;
			rc = change_detection(e, &list[i]->d);
		}
		if (rc == 0)
			rc = change_event(e, ev, NULL, now);
	} while ((rc = change_end(e, rc, event_word(ev->type), now)) == -EAGAIN);
	if (rc < 0)
		for (size_t i = 0; i < n; i++)
			list[i]->d.told = TOLD_NOT;
	free(list);
	return rc;
}

static bool
is_stock_of(const struct engine *e, const struct finding *f, const void *sw)
{
	return f->at == sw && is_quiet(e, &f->d);
}

void
summary_tell(struct engine *e, struct sw *sw, struct moment now)
{
	struct finding **list;
	struct event ev;
	size_t n;

	for (const struct finding *f = sw->findings; f != NULL; f = f->next_at)
		if (f->held) {
			e->summaries_owed = true;
			return;			/* it may be one more, or turn out to be elsewhere */
		}
	if ((list = owed(e, is_stock_of, sw, &n)) == NULL) {
		e->summaries_owed = true;
		return;
	}
	event_of_switch(e, sw, EVENT_SUMMARY, &ev);
	ev.severity = SEVERITY_MINOR;
	ev.count = (uint32_t)n;
	text_printf(ev.text, sizeof ev.text, "%zu restricted device%s found on %s that %s there before", n, n == 1 ? "" : "s", sw->name,
	    n == 1 ? "was" : "were");
	if (e->relearning)
		event_mark(&ev, "re-learned");
	if (owed_tell(e, &ev, list, n, now) < 0)
		e->summaries_owed = true;
}

static bool
is_flood_of(const struct engine *e, const struct finding *f, const void *arg)
{
	const struct place *at = arg, of = flood_place(&f->d.location);

	return of.if_index == at->if_index && strcmp(of.switch_name, at->switch_name) == 0 && !is_quiet(e, &f->d);
}

/* One notification for a port whose minute is over, with the number of those that were not told singly. */
static void
flood_tell(struct engine *e, const struct finding *f, struct moment now)
{
	const struct place at = flood_place(&f->d.location);
	const struct flood *slot = flood_of(e, &at);
	struct finding **list;
	struct event ev;
	size_t n;

	if ((slot != NULL && !is_over(slot, now)) || (list = owed(e, is_flood_of, &at, &n)) == NULL) {
		e->summaries_owed = true;
		return;
	}
	if (slot == NULL && n <= ALARMS_PER_PORT) {	/* stock of a site that is paged one by one since it was found */
		e->summaries_owed = true;		/* until nobody is owed: one may fail to be told */
		for (size_t i = 0; i < n; i++)
			detect_tell_singly(e, list[i], now);
		free(list);
		return;
	}
	event_of_finding(e, f, EVENT_MAC_FLOOD, &ev);
	memcpy(ev.switch_name, at.switch_name, sizeof ev.switch_name);
	ev.count = (uint32_t)n;
	text_printf(ev.evidence, sizeof ev.evidence, "%zu more restricted addresses on %s within a minute; they are all listed by camtrapctl "
	    "devices", n, at.if_index != 0 ? "this port" : "several ports of this switch at once");
	text_printf(ev.text, sizeof ev.text, "MAC flood: %zu more restricted addresses on %s %s", n, at.switch_name,
	    at.if_index != 0 ? at.port : "(several ports at once)");
	if (owed_tell(e, &ev, list, n, now) < 0)
		e->summaries_owed = true;
}

int64_t
summaries_tell(struct engine *e, struct moment now)
{
	if (!e->summaries_owed || !e->swept)
		return 60000;
	e->summaries_owed = false;
	for (size_t i = 0; i < e->n_findings; i++) {
		struct finding *f = e->findings[i];

		if (!is_owed(f))
			continue;
		if (!is_quiet(e, &f->d))
			flood_tell(e, f, now);
		else if (f->at == NULL)
			e->summaries_owed = true;	/* its switch is not configured now */
		else
			summary_tell(e, f->at, now);
	}
	return e->summaries_owed ? OWED_MS : 60000;
}
