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
	bool		 same;		/* of poll_expect(): tables is not joined, its rows are those of that poll */
	bool		 dropped;	/* given up for want of memory before anything was known: says nothing about the switch */
	enum switch_state state;	/* OK, INCOMPLETE, UNREACHABLE or AUTH_FAILED */
	const char	*credential;	/* name; borrowed; NULL none worked */
	const char	*error;		/* one line, borrowed; NULL none */
	uint32_t	 requests, timeouts;	/* datagrams of this poll alone */
	struct wall	 started, finished;
};
/* Once per poll_start() or poll_ping(); from inside it only when not one credential can be used, or memory is out. */
typedef void poll_done_fn(void *arg, const struct poll_result *r);

/* Borrows `sw` and `conf` (credentials). NULL: out of memory. */
struct poll	*poll_new(struct snmp *s, const struct conf *conf, const struct conf_switch *sw, poll_done_fn *done, void *arg);
/* The same in copies; the borrowed ones so far are not needed any more. */
void		 poll_rebind(struct poll *p, const struct conf *conf, const struct conf_switch *sw);
void		 poll_free(struct poll *p);	/* an open poll ends without a call */
/* Shows each object that is answered to a table, as it came, to `each` as well: for recording. */
void		 poll_tap(struct poll *p, snmp_varbind_fn *each, void *arg);
bool		 poll_running(const struct poll *p);	/* between the start and its call of `done` */
/* Polls from now on ask just these VLANs in contexts of their own, whatever the switch lists. Copies them. */
bool		 poll_vlans(struct poll *p, const struct vlan_set *vlans);	/* false: out of memory */
/* The whole of poll_steps[], in at most poll_interval and max_rows / 10 + 200 requests (threat-model.md P1, P2): what is not
 * read by then is incomplete, with the reason. */
void		 poll_start(struct poll *p);
/* From now on a poll with this tables_sum() that reached the end of every table is not joined once more; 0: none. */
void		 poll_expect(struct poll *p, uint64_t sum);
/* Dead switch: one GET of sysUpTime, one datagram; ends in state OK or UNREACHABLE without tables. */
void		 poll_ping(struct poll *p);
/* True while it waits for a first answer, after a time-out or a refusal or in a ping: most likely the switch is dead, or has another
 * secret. */
bool		 poll_waiting(const struct poll *p);
/* True while no credential has had an answer in this poll. */
bool		 poll_unheard(const struct poll *p);
/* The VLAN whose context is being asked; 0: the default one. For who taps. */
uint16_t	 poll_vlan(const struct poll *p);
/* Progress for people: steps done and in all. */
void		 poll_progress(const struct poll *p, unsigned *done, unsigned *all, const char **step);
#endif
