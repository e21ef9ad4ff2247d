/* agent/check/alive.c: is the agent at work: its processes, its database and configuration, and how old its state is (Q5). */
#include "check/judge.h"

#include <string.h>

#include "base/num.h"

static void
processes_judge(struct judge *j)
{
	const json_t *list = list_at(j, j->d->status, "processes"), *one;
	long long restarts = 0, down = 0;
	struct range none = range_above(0);
	size_t i;

	json_array_foreach(list, i, one) {
		const char *name = text_at(j, one, "name"), *state = text_at(j, one, "state");

		restarts += number_at(j, one, "restarts");
		down += strcmp(state, "up") != 0;
		if (is_true_at(j, one, "looping"))
			result_problem(j->r, CHECK_CRITICAL, "%s keeps ending", name);
		else if (strcmp(state, "up") != 0)
			result_problem(j->r, CHECK_WARNING, "%s is %s", name, state);
	}
	if (json_array_size(list) == 0)
		result_problem(j->r, CHECK_UNKNOWN, "which processes there are is not known");
	result_summary(j->r, ", %zu process%s", json_array_size(list), json_array_size(list) == 1 ? "" : "es");
	result_perf(j->r, "processes_down", (unsigned long long)down, "", &none, NULL);
	result_perf(j->r, "restarts", (unsigned long long)restarts, "c", NULL, NULL);
}

/* What makes an agent that runs well find nothing, or tell nobody. */
static void
conditions_judge(struct judge *j)
{
	const json_t *status = j->d->status, *reload = json_object_get(status, "reload");

	if (strcmp(text_at(j, status, "store"), "ok") != 0)
		result_problem(j->r, CHECK_CRITICAL, "the database cannot be written");
	if (json_is_object(reload) && strcmp(text_at(j, reload, "result"), "ok") != 0)
		result_problem(j->r, CHECK_WARNING, "the changed configuration is refused, the last good one is in force");
	if (json_array_size(list_at(j, status, "policies")) == 0)
		result_problem(j->r, CHECK_WARNING, "there is no policy: no device is restricted");
	if (json_array_size(list_at(j, status, "registry")) == 0)
		result_problem(j->r, CHECK_WARNING, "there is no registry of makers");
}

/* What was read by an earlier run, when this one has only just begun, may be read in a moment. */
static void
state_judge(struct judge *j, uint64_t up_s, uint64_t limit_s)
{
	uint64_t s;
	bool known = age_at(j, j->d->status, "lastPoll", &s), never = text_at(j, j->d->status, "lastPoll")[0] == '\0';
	struct range critical = j->q->critical.set ? j->q->critical : range_above((unsigned)limit_s);
	enum check_state state = threshold_state(&j->q->warning, &critical, (double)(known ? s : up_s));
	char age[24];

	if (!known && !never) {
		result_problem(j->r, CHECK_UNKNOWN, "the last poll is in the future: the clock was set back");
		return;
	}
	if (state == CHECK_CRITICAL && up_s <= limit_s && (never || s >= up_s))
		state = CHECK_WARNING;
	if (never)
		result_problem(j->r, state > CHECK_WARNING ? state : CHECK_WARNING, "no poll was answered yet");
	else if (state != CHECK_OK)
		result_problem(j->r, state, "the last poll was answered %s ago", age_words(s, age));
	else
		result_summary(j->r, ", last poll %s ago", age_words(s, age));
	if (known)
		result_perf(j->r, "state_age", s, "s", &j->q->warning, &critical);
}

static void
sweep_say(struct judge *j)
{
	long long done = number_at(j, j->d->status, "firstSweep.done"), total = number_at(j, j->d->status, "firstSweep.total");
	char age[24];
	uint64_t s;

	if (done < total)
		result_summary(j->r, ", first sweep %lld of %lld", done, total);
	else if (age_at(j, j->d->status, "lastCompleteSweep", &s))
		result_summary(j->r, ", last complete sweep %s ago", age_words(s, age));
}

void
judge_alive(struct judge *j)
{
	const json_t *status = j->d->status;
	long long switches = number_at(j, status, "switches.total");
	uint64_t up_s = (uint64_t)number_at(j, status, "uptimeSeconds"), limit_s;
	char up[24];

	result_summary(j->r, "%s is up %s", text_at(j, status, "agent"), age_words(up_s, up));
	processes_judge(j);
	conditions_judge(j);
	result_summary(j->r, ", %lld switch%s", switches, switches == 1 ? "" : "es");
	if (switches == 0) {
		result_problem(j->r, CHECK_WARNING, "no switch is configured");
	} else {
		limit_s = (uint64_t)number_at(j, status, "pollIntervalSeconds") * j->q->cycles;
		state_judge(j, up_s, limit_s);
		sweep_say(j);
	}
	result_perf(j->r, "uptime", up_s, "s", NULL, NULL);
	result_perf(j->r, "switches", (unsigned long long)switches, "", NULL, NULL);
}
