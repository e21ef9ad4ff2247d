/* agent/poller/snmp_inner.h: between snmp_ev.c (sockets, time-outs) and snmp_walk.c (walks). Nobody else includes it. */
#ifndef CAMTRAPD_SNMP_INNER_H
#define CAMTRAPD_SNMP_INNER_H
#include <stdbool.h>

#include "base/clock.h"
#include "poller/snmp.h"
#include "poller/snmp_message.h"

enum { ASK_OIDS = 16, ERR_TOOBIG = 1, ERR_NOSUCHNAME = 2 };	/* RFC 3416 section 3: error-status */
enum ask_command { ASK_GET, ASK_NEXT, ASK_BULK };
enum ask_outcome { ASK_OPEN, ASK_ANSWERED, ASK_LOST, ASK_REFUSED, ASK_LATE, ASK_SPENT, ASK_UNSENT };

/* One question with its resends. Queued at its peer, then in flight, then on the list of what is finished, whose `answered`
 * either asks again (ask_again) or ends it (ask_end). */
struct ask {
	struct ask		*next;		/* in the peer's list */
	struct ask		*next_ready;	/* in the list of finished ones */
	struct snmp_peer	*peer;
	struct event		*timer;
	struct mono		 rings;		/* when the timer does; it may be set for an earlier datagram */
	bool			 armed;
	bool			 waiting;	/* for the answer to the last datagram */
	long			 reqid;		/* of it; in v3 of message and PDU */
	struct mono		 sent, given_up;	/* the datagram left; its time-out */
	bool			 heard;		/* it had an answer; a context that had none may not exist */
	unsigned		 nudges;	/* since the question was asked, or a time-out */
	long			 nudge_id, nudge_of;	/* of the nudge, and the reqid it was for; 0: none */
	bool			 twice;		/* the question is under way under both of these ids: */
	long			 earlier_id;	/* of the last datagram that a nudge gave up; 0: none */
	struct mono		 earlier_sent;
	bool			 large;		/* it counts in snmp.large */
	bool			 flying, ready, probing, reprobed, resynced;
	bool			 hinted, doubted;	/* v3: a Report that anybody may have sent came to this datagram; to an earlier one */
	unsigned		 timeouts;	/* in a row */
	enum ask_outcome	 outcome;
	uint32_t		 report;	/* v3: which of usmStats was the answer; 0: none */
	bool			 report_authentic;
	uint32_t		 hint;		/* and the last hint */
	long			 errstat, errindex;
	const uint8_t		*varbinds, *varbinds_end;	/* borrowed while `answered` runs */
	/* the question */
	enum ask_command	 command;
	long			 repetitions;
	struct message_oid	*oids;		/* the asker's, with room for all it asks: an OID is large, and not to be zeroed for nothing */
	size_t			 n;
	char			*community;	/* NULL: the credential's */
	char			*context;	/* NULL: none */
	/* the asker */
	void			(*answered)(struct ask *a);
	void			(*lost_one)(struct ask *a);	/* a time-out, before the next try: may change the question; may be NULL */
	void			(*drop)(struct ask *a);		/* frees what is around it */
	snmp_varbind_fn		*each;
	snmp_done_fn		*done;
	void			*arg;
};

/* No more than there is of it: an OID has room for far more numbers than it mostly has. */
static inline void
oid_set(struct message_oid *o, const uint32_t *v, size_t n)
{
	o->n = n <= OID_MAX ? n : OID_MAX;
	memcpy(o->v, v, o->n * sizeof *v);
}

/* What a peer has learned to stand. */
struct peer_habits { unsigned varbinds; bool varbinds_cut, no_bulk, bulk_works; unsigned good; };

/* false: out of memory; the ask is still the caller's. */
bool			 ask_init(struct ask *a, struct snmp_peer *p);
/* Takes back what ask_init() and ask_context() made, and calls `drop`: for an ask that was never started. */
void			 ask_discard(struct ask *a);
/* What an outcome other than ASK_ANSWERED means to the asker. */
enum snmp_result	 ask_result(const struct ask *a);
void			 ask_start(struct ask *a);	/* queue it */
void			 ask_again(struct ask *a);	/* from `answered`: the (changed) question goes out at once */
/* From `answered`: frees the ask (by `drop`), starts the next of the queue, then tells the asker. Nothing of it may be touched afterwards. */
void			 ask_end(struct ask *a, enum snmp_result r);
struct peer_habits	*ask_habits(struct ask *a);	/* of its peer, to be changed */
enum snmp_version	 ask_version(const struct ask *a);
/* A v3 context, or what follows the community; NULL or "": none. false: out of memory. */
bool			 ask_context(struct ask *a, const char *context);
void			 ask_misbehaved(struct ask *a);	/* counts */
/* From `answered`: the varbinds of the answer, for message_next(). */
void			 ask_read(const struct ask *a, struct message_reader *r);
#endif
