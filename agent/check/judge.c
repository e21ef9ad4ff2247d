/* agent/check/judge.c: members of documents, ages, and how much of the network is known. */
#include "check/judge.h"

#include <string.h>

#include "base/num.h"

#define AHEAD_S 60			/* clocks that are corrected in small steps do not matter */

static const json_t *
member(const json_t *o, const char *path)
{
	char key[64];

	for (;;) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof key)
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		o = json_object_get(o, key);
		if (path[n] == '\0')
			return o;
		path += n + 1;
	}
}

static void
missing(struct judge *j, const char *path)
{
	if (j->missing == NULL)
		j->missing = path;
}

long long
number_at(struct judge *j, const json_t *o, const char *path)
{
	const json_t *v = member(o, path);

	if (json_is_integer(v) && json_integer_value(v) >= 0)
		return json_integer_value(v);
	missing(j, path);
	return 0;
}

const char *
text_at(struct judge *j, const json_t *o, const char *path)
{
	const json_t *v = member(o, path);

	if (json_is_string(v))
		return json_string_value(v);
	if (!json_is_null(v))
		missing(j, path);
	return "";
}

const json_t *
list_at(struct judge *j, const json_t *o, const char *path)
{
	const json_t *v = member(o, path);

	if (!json_is_array(v))
		missing(j, path);
	return v;
}

bool
is_true_at(struct judge *j, const json_t *o, const char *path)
{
	const json_t *v = member(o, path);

	if (!json_is_boolean(v))
		missing(j, path);
	return json_is_true(v);
}

bool
age_at(struct judge *j, const json_t *o, const char *path, uint64_t *s)
{
	const char *text = text_at(j, o, path);
	struct wall t;
	int64_t us;

	*s = 0;
	if (text[0] == '\0')
		return false;
	if (wall_parse(text, &t) < 0) {
		missing(j, path);
		return false;
	}
	us = j->q->now.us - t.us;
	if (us < -(int64_t)AHEAD_S * 1000000)
		return false;
	if (us > 0)
		*s = (uint64_t)us / 1000000;
	return true;
}

uint64_t
age_or_none(struct judge *j, const json_t *o, const char *path)
{
	uint64_t s;

	(void)age_at(j, o, path, &s);
	return s;
}

const char *
age_words(uint64_t s, char out[static 24])
{
	if (s == 0)
		memcpy(out, "0 s", 4);
	else
		duration_words(s * 1000, out);
	return out;
}

const char *
plural(long long n)
{
	return n == 1 ? "" : "s";
}

enum check_state
threshold_state(const struct range *warning, const struct range *critical, double value)
{
	return range_alerts(critical, value) ? CHECK_CRITICAL : range_alerts(warning, value) ? CHECK_WARNING : CHECK_OK;
}

bool
is_of_site(struct judge *j, const json_t *sw)
{
	return j->q->site == NULL || strcmp(j->q->site, text_at(j, sw, "site")) == 0;
}

/* Within the cycles asked for, of a cycle of so many seconds. */
static bool
is_recent(struct judge *j, const json_t *o, const char *path, long long cycle_s)
{
	uint64_t s;

	return age_at(j, o, path, &s) && s <= (uint64_t)cycle_s * j->q->cycles;
}

/* Half an answer shows what is there, and not that nothing else is. */
static void
scope_of_switches(struct judge *j, struct scope *s)
{
	const json_t *list = list_at(j, j->d->switches, "switches"), *sw;
	size_t i;

	json_array_foreach(list, i, sw) {
		long long interval_s = number_at(j, sw, "pollIntervalSeconds");

		if (!is_of_site(j, sw))
			continue;
		s->switches++;
		s->blind += !is_recent(j, sw, "lastComplete", interval_s);
	}
	s->fresh = s->blind < s->switches;
}

void
no_switch(struct judge *j)
{
	if (j->q->site != NULL)
		result_problem(j->r, CHECK_UNKNOWN, "no switch is of the site %s", j->q->site);
	else
		result_problem(j->r, CHECK_UNKNOWN, "no switch is configured");
}

void
scope_judge(struct judge *j, struct scope *s)
{
	const json_t *status = j->d->status;

	*s = (struct scope){ 0 };
	if (j->d->switches != NULL) {
		scope_of_switches(j, s);
	} else if ((s->switches = number_at(j, status, "switches.total")) > 0) {
		s->blind = s->switches - number_at(j, status, "switches.ok");
		s->fresh = is_recent(j, status, "lastPoll", number_at(j, status, "pollIntervalSeconds"));
	}
	if (s->switches == 0)
		no_switch(j);
	else if (!s->fresh)
		result_problem(j->r, CHECK_UNKNOWN, "what is known is old: no poll was %s for %u poll interval%s",
		    j->d->switches != NULL ? "complete" : "answered", j->q->cycles, plural(j->q->cycles));
}

void
scope_say(struct judge *j, const struct scope *s)
{
	if (s->blind > 0)
		result_summary(j->r, " (%lld of %lld switch%s not read completely)", s->blind, s->switches, s->switches == 1 ? "" : "es");
	else
		result_summary(j->r, " (%lld switch%s)", s->switches, s->switches == 1 ? "" : "es");
}
