/* agent/check/judge.h: what the modes share: reading documents so that nothing missing counts as nothing there, ages, and words. */
#ifndef CAMTRAPD_CHECK_JUDGE_H
#define CAMTRAPD_CHECK_JUDGE_H
#include "check/modes.h"

struct judge {
	const struct question	*q;
	const struct documents	*d;
	struct result		*r;
	const char		*missing;	/* the first member that was not there or of another kind; NULL: all were */
};

/* Members by "switches.total". What is not there, or not such, is noted in j->missing. */
long long	 number_at(struct judge *j, const json_t *o, const char *path);	/* not negative */
const char	*text_at(struct judge *j, const json_t *o, const char *path);	/* "" for null; borrowed */
const json_t	*list_at(struct judge *j, const json_t *o, const char *path);
bool		 is_true_at(struct judge *j, const json_t *o, const char *path);

/* Seconds since the time at `path`. False: null, or later than a minute from now: the clock was set back, and its age is not known. */
bool		 age_at(struct judge *j, const json_t *o, const char *path, uint64_t *s);
/* The same of a time later than now: 0. */
uint64_t	 age_or_none(struct judge *j, const json_t *o, const char *path);
/* "12 s", "3 min". `out` is returned. */
const char	*age_words(uint64_t s, char out[static 24]);
const char	*plural(long long n);		/* "" or "s" */
/* Raises to the worse of both thresholds that `value` alerts on. */
enum check_state threshold_state(const struct range *warning, const struct range *critical, double value);

/* How much of the network is known, for modes that tell of devices. */
struct scope { long long switches, blind; bool fresh; };
/* Raises to UNKNOWN where nothing is known, or nothing of late (Q5). */
void		 scope_judge(struct judge *j, struct scope *s);
/* " (3 of 50 switches …)" for the summary. */
void		 scope_say(struct judge *j, const struct scope *s);
/* UNKNOWN: there is nothing that could be judged. */
void		 no_switch(struct judge *j);
/* A switch of the document `switches` is of the site asked for, if one was. */
bool		 is_of_site(struct judge *j, const json_t *sw);

void	judge_alive(struct judge *j);
void	judge_present(struct judge *j);
void	judge_new(struct judge *j);
void	judge_staleness(struct judge *j);
void	judge_outbox(struct judge *j);
#endif
