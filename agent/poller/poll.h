/* agent/poller/poll.h: one poll of one switch, with the credentials tried in order: the state machine of style.md section 6.
 * Used by the poller process and by `camtrapctl probe`. */
#ifndef CAMTRAPD_POLL_H
#define CAMTRAPD_POLL_H
#include "base/clock.h"
#include "config/conf.h"
#include "poller/snmp.h"
#include "poller/tables.h"

struct poll;				/* opaque: lives as long as the switch is configured */

struct poll_result {
	struct tables	*tables;	/* joined; the callee owns it; NULL when the switch did not answer at all */
	enum switch_state state;
	const char	*credential;	/* name; borrowed; NULL none worked */
	const char	*error;		/* one line, borrowed; NULL none */
	uint32_t	 requests, timeouts;
	struct wall	 started, finished;
};
/* Once per poll_start() or poll_ping(); from inside it only when not one credential can be used. */
typedef void poll_done_fn(void *arg, const struct poll_result *r);

/* Borrows `sw` and `conf` (credentials). NULL: out of memory. */
struct poll	*poll_new(struct snmp *s, const struct conf *conf, const struct conf_switch *sw, poll_done_fn *done, void *arg);
void		 poll_free(struct poll *p);	/* an open poll ends without a call */
bool		 poll_running(const struct poll *p);
void		 poll_start(struct poll *p);	/* the whole of poll_steps[] */
void		 poll_ping(struct poll *p);	/* dead switch: one GET of sysUpTime; ends in state OK or UNREACHABLE without tables */
/* Progress for people: steps done and in all. */
void		 poll_progress(const struct poll *p, unsigned *done, unsigned *all, const char **step);
#endif
