/* agent/poller/snmp.h: SNMP questions to many switches over one socket per address family. GET, GETNEXT and GETBULK; there is no SET (threat-model.md P9). */
#ifndef CAMTRAPD_SNMP_H
#define CAMTRAPD_SNMP_H
#include <event2/event.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/ip.h"
#include "config/conf.h"
#include "poller/varbind.h"

struct snmp;				/* one per process */
struct snmp_peer;			/* one switch with one credential */

/* Since snmp_new(), over all peers; requests and replies are datagrams. */
struct snmp_counters {
	uint64_t	requests, replies, timeouts;
	uint64_t	resent;		/* of the requests: once more after a time-out or a nudge */
	uint64_t	nudges;		/* of the requests: an answer is late, is the switch there? */
	uint64_t	unsent;		/* of the requests: the system did not take them; waited for like lost ones */
	uint64_t	strays;		/* from nobody who was asked, or too late */
	uint64_t	mismatched;	/* from the peer asked, but another version, community or PDU type; v3: or not authentic */
	uint64_t	malformed;	/* not SNMP, or objects that cannot be */
	uint64_t	replaced;	/* v3 engines that others answered for, with an ID of their own */
};

/* Gives back to the system what the heap holds and nobody uses: after many polls at once. */
void		 snmp_tidy(void);
/* Sends what waits to be sent, and wipes the communities of all that was sent and received (threat-model.md C4). */
void		 snmp_wipe(struct snmp *s);
/* Answers come faster than they are read: who asks more now only has more of them wait, each with its tables half read. */
bool		 snmp_is_behind(const struct snmp *s);

/* What the questions of one poll may cost together (threat-model.md P1, P2). Its peers count in it. */
struct snmp_budget {
	uint32_t	max_requests;	/* datagrams */
	struct mono	until;		/* nothing is sent later, and nothing waited for */
	uint32_t	requests, timeouts;
	uint32_t	hints;		/* v3: Reports that anybody may have sent */
};

/* NULL: no socket to be had (errno). */
struct snmp	*snmp_new(struct event_base *base);
void		 snmp_free(struct snmp *s);	/* after its peers */
/* Borrowed; it goes on counting. */
const struct snmp_counters *snmp_counters(const struct snmp *s);

/* Borrows `cred` for the peer's life. Replies count only from `to` and `reply_from` (threat-model.md P3). NULL: out of memory, an
 * address that cannot be asked, or a credential that is refused: text in *why, static; NULL: out of memory. v3: a password is
 * made a key once for all peers that have it. */
struct snmp_peer *snmp_peer_new(struct snmp *s, const struct ip_port *to, const struct ip *reply_from, size_t n_reply_from,
		    const struct conf_credential *cred, const char **why);
void		 snmp_peer_max_in_flight(struct snmp_peer *p, unsigned n);	/* default 1; more questions wait in order */
void		 snmp_peer_tries(struct snmp_peer *p, unsigned n);	/* datagrams per question, 1 to 3; default 3 */
/* Borrows `b` until the peer is freed or given another; NULL (at first): no limit. What is in flight keeps its time-out. */
void		 snmp_peer_budget(struct snmp_peer *p, struct snmp_budget *b);
/* v3: the next question begins with the discovery of the engine, as to a stranger. Nothing may be in flight. */
void		 snmp_peer_forget(struct snmp_peer *p);
/* Borrows `cred` instead of the credential so far, of which it is a copy. */
void		 snmp_peer_rebind(struct snmp_peer *p, const struct conf_credential *cred);
void		 snmp_peer_free(struct snmp_peer *p);	/* open requests end without a call; NULL is fine */

enum snmp_result {
	SNMP_DONE,			/* answered; walks: the subtree was left */
	SNMP_TIMED_OUT,			/* 3 time-outs in a row */
	SNMP_DENIED,			/* v3: a signed Report; or no answer, but one that anybody may have sent: unknown user, wrong digest … */
	SNMP_BROKEN,			/* the agent misbehaves: not increasing, error status, malformed */
	SNMP_TOO_MANY,			/* walks: the row limit */
	SNMP_LATE,			/* the time of the budget is over */
	SNMP_SPENT,			/* the requests of the budget are used up */
	SNMP_UNSENT,			/* trouble of ours: out of memory, or it cannot be written */
};
/* For people; static. */
const char	*snmp_result_text(enum snmp_result r);
const char	*snmp_peer_result_text(const struct snmp_peer *p, enum snmp_result r);	/* with the reason of the last refusal */

/* Each varbind of an answer; for walks in order of arrival, only those inside their column. */
typedef void	snmp_varbind_fn(void *arg, const struct varbind *v);
/* Once per question, never from inside the call that asked. */
typedef void	snmp_done_fn(void *arg, enum snmp_result r);

/* One GET of at most 16 objects. Exceptions (noSuchObject …) are passed on as varbinds. false: out of memory, nothing was asked
 * and nothing will be called. */
bool	snmp_get(struct snmp_peer *p, const uint32_t *const *oids, const size_t *oid_lens, size_t n, snmp_varbind_fn *each,
	    snmp_done_fn *done, void *arg);

/* Walks columns of one table side by side (GETBULK sized to 1,400 octets and to what the switch stands, learned per peer; GETNEXT in
 * v1 or where GETBULK fails). Ends as P1 of threat-model.md says. */
struct snmp_walk {
	const uint32_t	*columns[8];
	size_t		 column_lens[8];
	size_t		 n;
	size_t		 row_octets;	/* a guess of the octets a row of one column takes: 40 for FDB, 150 for LLDP */
	uint32_t	 max_rows;	/* of each column */
	const char	*context;	/* v3 context or "@vlan" suffix of the community; NULL none */
};
/* Copies `w`. false: as for snmp_get(). */
bool	snmp_walk(struct snmp_peer *p, const struct snmp_walk *w, snmp_varbind_fn *each, snmp_done_fn *done, void *arg);
#endif
