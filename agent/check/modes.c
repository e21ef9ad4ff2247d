/* agent/check/modes.c: which modes there are, what each wants to know, and the end of each judgement. */
#include "check/modes.h"

#include <string.h>

#include "base/num.h"
#include "check/judge.h"

#define ABOUT_DEVICES (TAKES_THRESHOLDS | TAKES_CYCLES | TAKES_PLACE | TAKES_VENDOR)

struct mode {
	const char	*name, *help;
	unsigned	 takes, wants;
	bool		 about_daemon;
	void		(*judge)(struct judge *j);
};

static const struct mode modes[] = {
	{ "alive", "the daemon answers, its processes are up, its state is not old (-w, -c: seconds since the last poll)",
	    TAKES_THRESHOLDS | TAKES_CYCLES, DOCUMENT_STATUS, true, judge_alive },
	{ "present", "restricted devices that are there (-w, -c: their number)", ABOUT_DEVICES, DOCUMENT_DEVICES, false, judge_present },
	{ "new", "new restricted devices that nobody took notice of (-w, -c: their number)", ABOUT_DEVICES | TAKES_SINCE, DOCUMENT_DEVICES,
	    false, judge_new },
	{ "staleness", "switches not polled completely within some poll intervals (-w, -c: their number)",
	    TAKES_THRESHOLDS | TAKES_CYCLES | TAKES_PLACE, DOCUMENT_STATUS | DOCUMENT_SWITCHES, false, judge_staleness },
	{ "outbox", "notifications that wait for an acknowledgement (-w, -c: their number)", TAKES_THRESHOLDS | TAKES_AGES, DOCUMENT_STATUS,
	    false, judge_outbox },
};

const struct mode *
mode_at(size_t n)
{
	return n < nitems(modes) ? &modes[n] : NULL;
}

const struct mode *
mode_named(const char *name)
{
	for (size_t i = 0; i < nitems(modes); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	return NULL;
}

const char *
mode_name(const struct mode *m)
{
	return m->name;
}

const char *
mode_help(const struct mode *m)
{
	return m->help;
}

unsigned
mode_takes(const struct mode *m)
{
	return m->takes;
}

bool
mode_is_about_daemon(const struct mode *m)
{
	return m->about_daemon;
}

/* How old state is, is known of all switches together, or has to be asked switch by switch where a part of them is meant. */
unsigned
mode_wants(const struct mode *m, const struct question *q)
{
	bool part = q->site != NULL || q->switch_name != NULL;

	if (m->wants != DOCUMENT_DEVICES)
		return m->wants;
	return DOCUMENT_DEVICES | (part ? DOCUMENT_SWITCHES : DOCUMENT_STATUS);
}

static void
version_check(struct judge *j, const json_t *document)
{
	if (document != NULL && number_at(j, document, "version") != 1 && j->missing == NULL)
		j->missing = "version of its own that is known here";
}

void
mode_judge(const struct mode *m, const struct question *q, const struct documents *d, struct result *r)
{
	struct judge j = { .q = q, .d = d, .r = r };

	version_check(&j, d->status);
	version_check(&j, d->devices);
	version_check(&j, d->switches);
	m->judge(&j);
	if (j.missing == NULL)
		return;
	result_free(r);
	result_problem(r, CHECK_UNKNOWN, "the answer of the daemon has no %s: it may be of another version", j.missing);
}
