/* agent/check/outbox.c: notifications that nobody has acknowledged yet, and receivers that do not answer or refuse. */
#include "check/judge.h"

#include <string.h>

#define QUEUED_WARNING 100
#define QUEUED_CRITICAL 1000
#define AGE_WARNING_S 60		/* of the oldest: an inform is acknowledged within seconds */
#define AGE_CRITICAL_S 600

struct tally {
	unsigned long long receivers, down, queued, in_flight, delivered, timed_out, refused, expired, orphaned;
	uint64_t	 oldest_s;
};

static void
receiver_line(struct judge *j, const json_t *o, long long queued, uint64_t age_s)
{
	const char *why = text_at(j, o, "lastFailure");
	char age[24];

	result_line(j->r, "%s: %s, %s, %lld waiting%s%s, %lld delivered, %lld timed out, %lld refused, %lld expired%s%s", text_at(j, o, "receiver"),
	    text_at(j, o, "type"), text_at(j, o, "state"), queued, queued > 0 ? ", the oldest for " : "", queued > 0 ? age_words(age_s, age) : "",
	    number_at(j, o, "delivered"), number_at(j, o, "timedOut"), number_at(j, o, "refused"), number_at(j, o, "expired"),
	    why[0] != '\0' ? ": " : "", why);
}

/* What waits for a receiver that was taken out of the configuration is no delivery that is late. */
static void
receiver_count(struct judge *j, struct tally *t, const json_t *o)
{
	const char *name = text_at(j, o, "receiver"), *why = text_at(j, o, "lastFailure");
	long long queued = number_at(j, o, "queued");
	uint64_t age_s = age_or_none(j, o, "oldest");

	if (strcmp(text_at(j, o, "type"), "not configured") == 0) {
		t->orphaned += (unsigned long long)queued;
		return;
	}
	t->receivers++;
	t->queued += (unsigned long long)queued;
	t->in_flight += (unsigned long long)number_at(j, o, "inFlight");
	t->delivered += (unsigned long long)number_at(j, o, "delivered");
	t->timed_out += (unsigned long long)number_at(j, o, "timedOut");
	t->refused += (unsigned long long)number_at(j, o, "refused");
	t->expired += (unsigned long long)number_at(j, o, "expired");
	if (age_s > t->oldest_s)
		t->oldest_s = age_s;
	if (strcmp(text_at(j, o, "state"), "up") != 0) {
		t->down++;
		result_problem(j->r, CHECK_WARNING, "%s does not acknowledge%s%s", name, why[0] != '\0' ? ": " : "", why);
	} else if (why[0] != '\0') {
		result_problem(j->r, CHECK_WARNING, "%s was told in vain: %s", name, why);
	}
	receiver_line(j, o, queued, age_s);
}

static void
tally_say(struct judge *j, const struct tally *t)
{
	char age[24];

	if (t->queued == 0)
		result_summary(j->r, "nothing waits for %llu receiver%s, %llu delivered", t->receivers, plural((long long)t->receivers), t->delivered);
	else
		result_summary(j->r, "%llu notification%s wait%s, the oldest for %s", t->queued, plural((long long)t->queued),
		    t->queued == 1 ? "s" : "", age_words(t->oldest_s, age));
	if (t->expired > 0)
		result_summary(j->r, ", %llu expired", t->expired);
	if (t->orphaned > 0)
		result_summary(j->r, ", %llu for receivers that are not configured any more", t->orphaned);
}

static struct range
or_above(const struct range *own, unsigned n)
{
	return own->set ? *own : range_above(n);
}

void
judge_outbox(struct judge *j)
{
	const json_t *list = list_at(j, j->d->status, "outbox"), *one;
	const struct question *q = j->q;
	struct range warning = or_above(&q->warning, QUEUED_WARNING), critical = or_above(&q->critical, QUEUED_CRITICAL);
	struct range warning_age = or_above(&q->warning_age, AGE_WARNING_S), critical_age = or_above(&q->critical_age, AGE_CRITICAL_S);
	struct range any = range_above(0);
	struct tally t = { 0 };
	size_t i;

	json_array_foreach(list, i, one)
		receiver_count(j, &t, one);
	if (t.receivers == 0)
		result_problem(j->r, CHECK_WARNING, "no receiver is configured");
	result_raise(j->r, threshold_state(&warning, &critical, (double)t.queued));
	result_raise(j->r, threshold_state(&warning_age, &critical_age, (double)t.oldest_s));
	tally_say(j, &t);
	result_perf(j->r, "queued", t.queued, "", &warning, &critical);
	result_perf(j->r, "oldest", t.oldest_s, "s", &warning_age, &critical_age);
	result_perf(j->r, "receivers_down", t.down, "", &any, NULL);
	result_perf(j->r, "in_flight", t.in_flight, "", NULL, NULL);
	result_perf(j->r, "delivered", t.delivered, "c", NULL, NULL);
	result_perf(j->r, "timed_out", t.timed_out, "c", NULL, NULL);
	result_perf(j->r, "refused", t.refused, "c", NULL, NULL);
	result_perf(j->r, "expired", t.expired, "c", NULL, NULL);
}
