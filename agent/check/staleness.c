/* agent/check/staleness.c: switches that nobody has looked into of late: unreachable, refusing, half answered, never or late. */
#include "check/judge.h"

#include <string.h>

#include "base/num.h"

#define NAMED_MAX 3			/* switches in the first line */

/* The states of the document `switches`; "ok" is the first, and `count` is by this order. */
static const struct { const char *word, *perfdata; } states[] = { { "ok", NULL }, { "unreachable", "unreachable" },
	{ "auth-failed", "auth_failed" }, { "incomplete", "incomplete" }, { "never", "never" } };

struct tally {
	unsigned long long switches, stale, pending, fresh, state[nitems(states)];
	uint64_t	 oldest_s;	/* of the last complete polls */
	struct buf	 named;
};

static size_t
state_index(const char *word)
{
	size_t i = 0;

	while (i < nitems(states) && strcmp(states[i].word, word) != 0)
		i++;
	return i;
}

static void
stale_say(struct judge *j, struct tally *t, const json_t *sw, bool read, uint64_t age_s)
{
	const char *name = text_at(j, sw, "name"), *state = text_at(j, sw, "state"), *site = text_at(j, sw, "site"), *why = text_at(j, sw, "error");
	char age[24];

	if (strcmp(state, "ok") == 0)
		state = "late";			/* it answered last time, and was not asked since */
	if (t->stale++ < NAMED_MAX)
		buf_printf(&t->named, "%s%s %s", t->named.len > 0 ? ", " : ": ", name, state);
	result_line(j->r, "%s%s%s: %s, %s%s%s%s%s", name, site[0] != '\0' ? ", site " : "", site, state,
	    read ? "last complete poll " : "never read completely", read ? age_words(age_s, age) : "", read ? " ago" : "",
	    why[0] != '\0' ? ": " : "", why);
}

static void
switch_count(struct judge *j, struct tally *t, const json_t *sw, uint64_t up_s)
{
	uint64_t limit_s = (uint64_t)number_at(j, sw, "pollIntervalSeconds") * j->q->cycles, age_s;
	bool read = age_at(j, sw, "lastComplete", &age_s);
	size_t state = state_index(text_at(j, sw, "state"));

	t->switches++;
	if (state < nitems(states))
		t->state[state]++;
	if (age_s > t->oldest_s)
		t->oldest_s = age_s;
	if (read && age_s <= limit_s)
		t->fresh++;
	else if (strcmp(text_at(j, sw, "state"), "never") == 0 && up_s <= limit_s)
		t->pending++;			/* the agent has only just begun */
	else
		stale_say(j, t, sw, read, age_s);
}

static void
tally_say(struct judge *j, struct tally *t)
{
	char age[24];

	if (t->stale > 0)
		result_summary(j->r, "%llu of %llu switch%s not polled completely within %u poll interval%s", t->stale, t->switches,
		    t->switches == 1 ? "" : "es", j->q->cycles, plural(j->q->cycles));
	else
		result_summary(j->r, "%llu switch%s polled completely within %u poll interval%s, the longest ago %s", t->fresh,
		    t->fresh == 1 ? "" : "es", j->q->cycles, plural(j->q->cycles), age_words(t->oldest_s, age));
	if (t->named.len > 0)
		result_summary(j->r, "%s", buf_text(&t->named) != NULL ? buf_text(&t->named) : "");
	if (t->stale > NAMED_MAX)
		result_summary(j->r, ", and %llu more", t->stale - NAMED_MAX);
	if (t->pending > 0)
		result_summary(j->r, ", %llu not asked yet", t->pending);
}

/* Without thresholds one is WARNING, a quarter of them CRITICAL: so is the only one that was asked for. */
void
judge_staleness(struct judge *j)
{
	const json_t *list = list_at(j, j->d->switches, "switches"), *sw;
	uint64_t up_s = (uint64_t)number_at(j, j->d->status, "uptimeSeconds");
	bool own = j->q->warning.set || j->q->critical.set;
	struct range warning = j->q->warning, critical = j->q->critical;
	struct tally t = { 0 };
	size_t i;

	json_array_foreach(list, i, sw)
		if (is_of_site(j, sw))
			switch_count(j, &t, sw, up_s);
	if (!own) {
		warning = range_above(0);
		critical = range_above(t.switches > 0 ? (unsigned)(t.switches - 1) / 4 : 0);
	}
	if (t.switches == 0)
		no_switch(j);
	else if (t.fresh == 0 && t.stale == 0)
		result_raise(j->r, CHECK_UNKNOWN);
	result_raise(j->r, threshold_state(&warning, &critical, (double)t.stale));
	tally_say(j, &t);
	result_perf(j->r, "stale", t.stale, "", &warning, &critical);
	for (i = 1; i < nitems(states); i++)
		result_perf(j->r, states[i].perfdata, t.state[i], "", NULL, NULL);
	result_perf(j->r, "switches", t.switches, "", NULL, NULL);
	result_perf(j->r, "oldest", t.oldest_s, "s", NULL, NULL);
	buf_free(&t.named);
}
