/* agent/poller/snmp_ev.c: SNMP on libevent: one socket per address family, replies sorted by where they come from, adaptive
 * time-outs. Nothing here blocks. Messages are written and read by snmp_message.c, and of v3 by snmp_usm.c. */
#include "poller/snmp.h"

#include <arpa/inet.h>
#include <assert.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "poller/snmp_inner.h"
#include "poller/snmp_usm.h"

#define BATCH 16
#define BATCHES_PER_TURN 4
#define TURN_MAX (BATCH * BATCHES_PER_TURN)
#define DATAGRAM 65536
#define CHANCE 64			/* numbers: 256 octets, which getrandom() gives whole or not at all */
#define BUCKETS 16384			/* power of two */
#define TRIES 3
#define RTO_FIRST_MS 1000
#define RTO_MIN_MS 500
#define RTO_MAX_MS 8000
#define NUDGE_MIN_MS 50
#define NUDGE_AFTER_MS 25
#define NUDGES 2
#define NUDGE_FEW 16
#define OUT_MAX 64
#define OUT_OCTETS 8192			/* more than the largest question takes */
#define PAUSE_MS 2
#define PAUSE_FROM 4			/* questions in flight */
#define LARGE_FROM 150			/* questions of one poll: its switch is a large one */
#define LARGE_MAX 64			/* so many of them keep us as busy as any others */
#define PAUSE_WORTH 8			/* answers */
#define HASTE 32			/* reads without a pause after one that was not worth it */
#define MAPPED_FROM (512 << 10)		/* an array of so many octets is no part of the heap */
#define HEAP_KEPT (256 << 20)		/* what is free at its end is given back from this on, and by snmp_tidy() */

struct rtt { bool known; double srtt, rttvar; };

/* Where replies to a peer may come from: one entry in the hash table. */
struct from {
	struct from		*next;		/* in the bucket */
	struct snmp_peer	*peer;
	struct ip_port		 at;
};

/* A datagram that waits for the end of this turn. */
struct out {
	struct snmp_peer	*peer;
	int			 family;	/* which socket */
	struct iovec		 vec;		/* into `octets` */
	uint8_t			 octets[OUT_OCTETS];
};

struct snmp_peer {
	struct snmp			*s;
	const struct conf_credential	*cred;
	struct ip_port			 to;
	struct sockaddr_storage		 to_sa;		/* the same */
	socklen_t			 to_len;
	struct snmp_engine		*engine;	/* v3; NULL: v1 or v2c */
	struct from			*from;
	size_t				 n_from;
	struct ask			*asks;	/* in order of asking: those in flight first */
	unsigned			 in_flight, max_in_flight, tries;
	struct snmp_budget		*budget;	/* NULL: none */
	struct rtt			 rtt[2];	/* GET and GETNEXT; GETBULK */
	bool				 disordered;	/* it has answered a later question first */
	struct peer_habits		 habits;
	uint32_t			 refused;	/* v3: which of usmStats the last SNMP_DENIED was for; 0: none */
};

struct snmp {
	struct event_base	*base;
	int			 fd[2];		/* IPv4, IPv6; -1: none */
	struct event		*readable[2], *finish, *flush;
	struct ask		*ready, **ready_tail;
	struct from		*buckets[BUCKETS];
	struct snmp_usm		*usm;
	struct snmp_counters	 counters;
	uint32_t		 chance[CHANCE];	/* random numbers; those from n_chance on are used up */
	size_t			 n_chance;
	uint8_t			*rx;
	struct out		*out;		/* OUT_MAX */
	size_t			 n_out;
	bool			 gathering;	/* whoever set it will flush */
	struct event		*pause;
	bool			 paused;	/* the sockets are looked at when `pause` rings, not when they are readable */
	unsigned		 haste;		/* reads until the next pause is tried */
	int			 got;		/* answers of the last turn */
	size_t			 in_flight;	/* of all peers */
	size_t			 silent;	/* of those, had a time-out */
	size_t			 large;		/* of those, to switches that were asked so much in this poll already */
	struct mono		 answered;	/* when the youngest question was sent that has an answer */
	size_t			 peers[2];	/* of each address family */
	struct sockaddr_storage	 from[BATCH];
	struct mmsghdr		 in[BATCH];
	struct iovec		 in_vec[BATCH];
};

/* ---- datagrams out: gathered, and given to the system together */

/* What it does not take now is lost like any datagram: the time-out sends it again. */
static void
unsent(struct snmp *s, const struct out *o)
{
	static long long last;
	char text[IP_TEXT];

	s->counters.unsent++;
	if (log_limit(&last))
		log_warn("%s: datagram of %zu octets not sent", ip_port_text(&o->peer->to, 161, text), o->vec.iov_len);
}

static void
out_flush(struct snmp *s)
{
	struct mmsghdr m[OUT_MAX];
	size_t at = 0;

	while (at < s->n_out) {
		size_t n = 0;
		int sent;

		/* Those of one address family that follow one another. */
		for (; at + n < s->n_out && s->out[at + n].family == s->out[at].family; n++) {
			struct out *o = &s->out[at + n];

			m[n].msg_hdr = (struct msghdr){ .msg_name = &o->peer->to_sa, .msg_namelen = o->peer->to_len, .msg_iov = &o->vec, .msg_iovlen = 1 };
		}
		sent = sendmmsg(s->fd[s->out[at].family], m, (unsigned)n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent <= 0) {
			unsent(s, &s->out[at]);
			sent = 1;
		}
		at += (size_t)sent;
	}
	s->n_out = 0;
}

static void
flush_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	out_flush(arg);
}

/* Where the next datagram to a peer is put; it is sent at the end of this turn of the loop, or when many are gathered. */
static struct out *
out_next(struct snmp_peer *p)
{
	struct snmp *s = p->s;

	if (s->n_out == OUT_MAX)
		out_flush(s);
	if (s->n_out == 0 && !s->gathering)
		event_active(s->flush, EV_TIMEOUT, 0);
	s->out[s->n_out].peer = p;
	s->out[s->n_out].family = p->to.ip.family == 6;
	return &s->out[s->n_out];
}

static void
out_put(struct snmp *s, struct out *o, uint8_t *octets, size_t n)
{
	assert(s->n_out < OUT_MAX && octets >= o->octets && octets + n <= o->octets + OUT_OCTETS);
	o->vec = (struct iovec){ octets, n };
	s->n_out++;
}

/* A peer is no more, or another has its memory: what is meant for it is sent before. */
static void
out_leave(const struct snmp_peer *p)
{
	for (size_t i = 0; i < p->s->n_out; i++)
		if (p->s->out[i].peer == p) {
			out_flush(p->s);
			return;
		}
}

/* ---- sending */

static void
ask_ready(struct ask *a, enum ask_outcome outcome)
{
	struct snmp *s = a->peer->s;

	assert(a->flying && outcome != ASK_OPEN);
	a->waiting = false;
	a->outcome = outcome;
	if (a->ready)
		return;
	a->ready = true;
	a->next_ready = NULL;
	*s->ready_tail = a;
	s->ready_tail = &a->next_ready;
	event_active(s->finish, EV_TIMEOUT, 0);
}

static void
count_request(struct snmp_peer *p)
{
	p->s->counters.requests++;
	if (p->budget != NULL)
		p->budget->requests++;
}

static bool
id_is_open(const struct snmp_peer *p, int32_t id)
{
	for (const struct ask *a = p->asks; a != NULL; a = a->next)
		if (a->flying && (a->reqid == id || a->nudge_id == id || a->earlier_id == id))
			return true;
	return false;
}

/* Of a request: nobody can tell it who does not see it, and who sees those of one switch can tell none of another's. From 1 on;
 * 0: there are no random numbers. */
static int32_t
next_id(struct snmp_peer *p)
{
	struct snmp *s = p->s;
	int32_t id;

	do {
		if (s->n_chance == 0) {
			if (getrandom(s->chance, sizeof s->chance, 0) != (ssize_t)sizeof s->chance)
				return 0;
			s->n_chance = CHANCE;
		}
		id = (int32_t)(s->chance[--s->n_chance] & INT32_MAX);
	} while (id == 0 || id_is_open(p, id));
	return id;
}

static struct rtt *
rtt_of(const struct ask *a)
{
	return &a->peer->rtt[a->command == ASK_BULK && !a->probing];
}

static void
timeouts_set(struct ask *a, unsigned n)
{
	struct snmp *s = a->peer->s;

	assert(a->flying && s->silent >= (a->timeouts > 0));
	s->silent -= a->timeouts > 0;
	s->silent += n > 0;
	a->timeouts = n;
}

static void
large_set(struct ask *a, bool large)
{
	a->peer->s->large -= a->large;
	a->peer->s->large += large;
	a->large = large;
}

static long
rto_ms(const struct ask *a)
{
	const struct rtt *r = rtt_of(a);
	double ms = r->known ? r->srtt + 4 * r->rttvar : RTO_FIRST_MS;

	if (ms < RTO_MIN_MS)
		ms = RTO_MIN_MS;
	for (unsigned i = 0; i < a->timeouts && ms < RTO_MAX_MS; i++)
		ms *= 2;
	return ms > RTO_MAX_MS ? RTO_MAX_MS : (long)ms;
}

static void
rtt_sample(struct ask *a)
{
	struct rtt *r = rtt_of(a);
	double ms = (double)mono_since(a->sent, mono_now());
	double off = r->srtt > ms ? r->srtt - ms : ms - r->srtt;

	if (a->timeouts > 0 && r->known)
		return;			/* Karn; the very first may be a slow switch, and each try has an id of its own */
	if (r->known) {
		r->rttvar += (off - r->rttvar) / 4;
		r->srtt += (ms - r->srtt) / 8;
	} else
		*r = (struct rtt){ true, ms, ms / 2 };
}

/* The timer of an ask stays set when its answer comes, for the next question mostly needs it at the same time or later. */
static bool
arm(struct ask *a, long ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct mono rings = mono_add(mono_now(), ms);

	if (a->armed && mono_since(a->rings, rings) >= 0)
		return true;
	a->rings = rings;
	a->armed = event_add(a->timer, &tv) == 0;
	return a->armed;
}

/* Writes one datagram. false: it cannot be written. */
static bool
question_put(struct ask *a, struct message_question *q, const char *community, const char *context)
{
	static const long version[] = { [SNMP_V1] = MESSAGE_V1, [SNMP_V2C] = MESSAGE_V2C, [SNMP_V3] = MESSAGE_V3 };
	struct snmp_peer *p = a->peer;
	struct out *o = out_next(p);
	uint8_t *at;

	q->version = version[p->cred->version];
	q->community = community != NULL ? community : p->cred->community;
	if ((q->id = next_id(p)) == 0)
		return false;
	at = p->engine != NULL ? snmp_engine_write(p->engine, q, context, mono_now(), o->octets, OUT_OCTETS) : message_write(q, o->octets, OUT_OCTETS);
	if (at == NULL)
		return false;
	out_put(p->s, o, at, (size_t)(o->octets + OUT_OCTETS - at));
	return true;
}

/* ---- nudges: who answers in the order of asking, as agents do, and answers a later question, will not answer the one before it any
 * more: that was lost, and is asked again at once, not after a time-out made for slow switches. One that is only slow gets to the
 * nudge when it is done with the question. (The same thought as TCP's tail loss probe, RFC 8985.) A switch with another order shows
 * it by an answer to what was given up, which counts; it is not nudged again. Of many questions none is nudged before others are answered
 * that were asked later: until then it may be we, or the way to all of them, that is slow. */

/* After which wait this question is nudged, once more after twice that; 0: it is not. */
static long
nudge_ms(const struct ask *a)
{
	const struct snmp_peer *p = a->peer;
	const struct rtt *r = rtt_of(a);
	double ms = r->srtt + 4 * r->rttvar;

	bool alike = a->command == ASK_GET && a->n == 1;	/* as cheap as the nudge */
	bool unsure = !a->heard && (a->community != NULL || a->context != NULL);

	if (a->nudges == (alike ? 1 : NUDGES) || unsure || a->hinted || a->probing || !r->known || p->disordered || p->tries < TRIES)
		return 0;
	ms = (ms < NUDGE_MIN_MS ? NUDGE_MIN_MS : ms) * (1 << a->nudges);
	return ms * 2 <= rto_ms(a) ? (long)ms : 0;
}

static bool
nudge_may_tell(const struct ask *a)
{
	const struct snmp *s = a->peer->s;

	return !snmp_is_behind(s) && (mono_since(a->sent, s->answered) >= NUDGE_AFTER_MS || s->in_flight - s->silent <= NUDGE_FEW);
}

static void
nudge(struct ask *a)
{
	struct message_oid uptime = { .n = 9, .v = { 1, 3, 6, 1, 2, 1, 1, 3, 0 } };
	struct message_question q = { .pdu = PDU_GET, .repetitions = 1, .oids = &uptime, .n = 1 };
	const struct snmp_budget *b = a->peer->budget;

	a->nudges++;
	if ((b != NULL && b->requests + 2 > b->max_requests) || !question_put(a, &q, NULL, NULL))
		return;
	a->nudge_id = q.id;
	a->nudge_of = a->reqid;
	a->peer->s->counters.nudges++;
	count_request(a->peer);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;
	struct mono now = mono_now();
	int64_t left = mono_since(now, a->given_up);
	long ms;

	(void)fd, (void)what;
	a->armed = false;
	if (!a->waiting)
		return;
	if (left > 0 && (ms = nudge_ms(a)) > 0) {
		int64_t due = ms - mono_since(a->sent, now);

		if (due <= 0 && nudge_may_tell(a))
			nudge(a);
		if (due <= 0)
			due = NUDGE_AFTER_MS;
		left = due < left ? due : left;
	}
	if (left > 0 && arm(a, (long)left + 1))
		return;				/* it was set for an earlier datagram */
	ask_ready(a, ASK_LOST);
}

/* false: it cannot be written. */
static bool
message_send(struct ask *a)
{
	static const uint8_t pdu[] = { PDU_GET, PDU_GETNEXT, PDU_GETBULK };
	const struct snmp_engine *engine = a->peer->engine;
	struct message_question q = { .pdu = pdu[a->command], .repetitions = (int32_t)(a->repetitions > 0 ? a->repetitions : 1),
		.oids = a->oids, .n = a->n };

	a->probing = engine != NULL && !snmp_engine_is_known(engine);
	if (!question_put(a, &q, a->community, a->context))
		return false;
	a->reqid = q.id;
	return true;
}

/* One datagram. ASK_OPEN: it is on its way; else why there is none: the budget, or (ASK_UNSENT) our memory. */
static enum ask_outcome
ask_send(struct ask *a)
{
	struct snmp_peer *p = a->peer;
	int64_t left = INT64_MAX;
	long ms, nudge;

	assert(a->flying && !a->ready && a->n > 0 && a->n <= ASK_OIDS);
	a->sent = mono_now();
	if (p->budget != NULL) {
		left = mono_since(a->sent, p->budget->until);
		if (left <= 0)
			return ASK_LATE;
		if (p->budget->requests >= p->budget->max_requests)
			return ASK_SPENT;
	}
	a->outcome = ASK_OPEN;
	ms = rto_ms(a);
	ms = left < ms ? (long)left : ms;	/* a try at the end of the time allowed is a short one */
	a->waiting = false;
	if (!message_send(a))
		return ASK_UNSENT;
	count_request(p);
	large_set(a, p->budget != NULL && p->budget->requests > LARGE_FROM);
	if (a->twice)		/* the wait of a try begins with its first datagram */
		ms = mono_since(a->sent, a->given_up) > 0 ? (long)mono_since(a->sent, a->given_up) : 1;
	else
		a->given_up = mono_add(a->sent, ms);
	if ((nudge = nudge_ms(a)) > 0 && nudge < ms)
		ms = nudge;
	if (!arm(a, ms + 1))
		return ASK_UNSENT;	/* and not waiting: whatever comes is not taken for an answer */
	a->waiting = true;
	return ASK_OPEN;
}

static void
ask_put(struct ask *a)
{
	enum ask_outcome o = ask_send(a);

	if (o != ASK_OPEN)
		ask_ready(a, o);
}

static void
ask_go(struct ask *a)
{
	a->nudges = 0;
	a->twice = false;
	ask_put(a);
}

/* The answer to a nudge. */
static void
ask_nudged(struct ask *a)
{
	a->peer->s->counters.replies++;
	a->nudge_id = 0;
	if (a->nudge_of != a->reqid)
		return;				/* the answer came after all, and before this */
	a->twice = true;
	a->earlier_id = a->reqid;
	a->earlier_sent = a->sent;
	ask_put(a);
	a->peer->s->counters.resent += a->waiting;
}

static void
peer_pump(struct snmp_peer *p)
{
	for (struct ask *a = p->asks; a != NULL && p->in_flight < p->max_in_flight; a = a->next)
		if (!a->flying) {
			a->flying = true;
			p->in_flight++;
			p->s->in_flight++;
			ask_go(a);
		}
}

/* ---- what follows from an answer */

/* A Report, of a question that may get its answer when asked once more. true: it was. */
static bool
asked_once_more(struct ask *a)
{
	bool late = a->report == USM_NOT_IN_TIME_WINDOWS;

	if (late && a->report_authentic && !a->resynced) {
		a->resynced = true;	/* the engine's clock is known now (RFC 3414 section 4) */
		ask_go(a);
		return true;
	}
	if ((late || a->report == USM_UNKNOWN_ENGINE_IDS) && !a->reprobed) {
		a->reprobed = true;	/* another engine, or one whose clock cannot be agreed on */
		snmp_engine_forget(a->peer->engine);
		ask_go(a);
		return true;
	}
	return false;
}

/* No answer came, but a Report that nobody signed. So an agent says that user, secret or level are wrong, and so may anybody say it who
 * sees our questions: it ended nothing, the answer had all its time. The question goes out once more, as a datagram may be lost, but
 * with no longer a wait and not as often as to one that says nothing: who has a wrong secret is to know it soon. true: it did. */
static bool
asked_in_doubt(struct ask *a)
{
	struct snmp_peer *p = a->peer;
	bool again = !a->doubted && p->tries > 1;

	p->s->counters.replies++;
	a->hinted = false;
	a->doubted = true;
	if (!again)
		return false;
	if (a->hint == USM_NOT_IN_TIME_WINDOWS || a->hint == USM_UNKNOWN_ENGINE_IDS)
		snmp_engine_forget(p->engine);
	p->s->counters.resent++;
	ask_go(a);
	return true;
}

/* The asker is told. After a refusal that nobody signed, silence is what it is taken for. */
static void
ask_over(struct ask *a)
{
	if (a->doubted && (a->outcome == ASK_LOST || a->outcome == ASK_LATE || a->outcome == ASK_SPENT)) {
		a->outcome = ASK_REFUSED;
		a->report = a->hint;
	}
	if (a->outcome == ASK_REFUSED)
		a->peer->refused = a->report;
	a->answered(a);
}

static void
ask_judge(struct ask *a)
{
	struct snmp_peer *p = a->peer;

	if (a->outcome == ASK_LOST && a->hinted) {
		if (!asked_in_doubt(a))
			ask_over(a);
		return;
	}
	if (a->outcome == ASK_LOST) {
		p->s->counters.timeouts++;
		if (p->budget != NULL)
			p->budget->timeouts++;
		timeouts_set(a, a->timeouts + 1);
		if (a->timeouts < p->tries) {
			if (a->timeouts == TRIES - 1 && p->engine != NULL && !a->probing && !a->reprobed) {
				a->reprobed = true;	/* a replaced switch does not understand the old engine ID */
				snmp_engine_forget(p->engine);
			} else if (a->lost_one != NULL && !a->probing)
				a->lost_one(a);
			p->s->counters.resent++;
			ask_go(a);
			return;
		}
		ask_over(a);
		return;
	}
	if (a->outcome == ASK_REFUSED || a->outcome == ASK_ANSWERED)
		p->s->counters.replies++;
	if (a->probing && a->outcome == ASK_REFUSED) {
		rtt_sample(a);
		if (snmp_engine_is_known(p->engine)) {
			timeouts_set(a, a->reprobed && a->timeouts > 0);
			ask_go(a);
			return;
		}
	} else if (a->outcome == ASK_REFUSED) {
		if (asked_once_more(a))
			return;
	} else if (a->outcome == ASK_ANSWERED) {
		if (mono_since(p->s->answered, a->sent) > 0)
			p->s->answered = a->sent;
		rtt_sample(a);
		timeouts_set(a, 0);
		a->heard = true;
		a->resynced = a->doubted = false;
	}
	ask_over(a);
}

static void
finish_cb(evutil_socket_t fd, short what, void *arg)
{
	struct snmp *s = arg;

	(void)fd, (void)what;
	s->gathering = true;
	for (int i = 0; i < 256 && s->ready != NULL; i++) {	/* then the others get a turn */
		struct ask *a = s->ready;

		if ((s->ready = a->next_ready) == NULL)
			s->ready_tail = &s->ready;
		a->ready = false;
		assert(a->outcome != ASK_OPEN);
		ask_judge(a);
	}
	if (s->ready != NULL)
		event_active(s->finish, EV_TIMEOUT, 0);
	s->gathering = false;
	out_flush(s);
}

bool
ask_init(struct ask *a, struct snmp_peer *p)
{
	a->peer = p;
	return (a->timer = event_new(p->s->base, -1, EV_TIMEOUT, timer_cb, a)) != NULL;
}

void
ask_start(struct ask *a)
{
	struct ask **at = &a->peer->asks;

	while (*at != NULL)
		at = &(*at)->next;
	a->next = NULL;
	*at = a;
	peer_pump(a->peer);
}

void
ask_again(struct ask *a)
{
	timeouts_set(a, 0);
	ask_go(a);
}

static void
ask_free(struct ask *a)
{
	if (a->timer != NULL)
		event_free(a->timer);
	if (a->community != NULL)
		explicit_bzero(a->community, strlen(a->community));
	free(a->community);
	free(a->context);
	a->drop(a);
}

void
ask_discard(struct ask *a)
{
	assert(!a->flying && !a->ready);
	ask_free(a);
}

enum snmp_result
ask_result(const struct ask *a)
{
	static const enum snmp_result of[] = { [ASK_LOST] = SNMP_TIMED_OUT, [ASK_REFUSED] = SNMP_DENIED, [ASK_LATE] = SNMP_LATE,
		[ASK_SPENT] = SNMP_SPENT, [ASK_UNSENT] = SNMP_UNSENT };

	assert(a->outcome >= ASK_LOST && a->outcome < nitems(of));
	return of[a->outcome];
}

void
ask_end(struct ask *a, enum snmp_result r)
{
	struct snmp_peer *p = a->peer;
	snmp_done_fn *done = a->done;
	void *arg = a->arg;

	assert(a->flying && !a->ready && p->in_flight > 0);
	timeouts_set(a, 0);
	for (struct ask **at = &p->asks; *at != NULL; at = &(*at)->next)
		if (*at == a) {
			*at = a->next;
			break;
		}
	p->in_flight--;
	p->s->in_flight--;
	large_set(a, false);
	ask_free(a);
	peer_pump(p);
	done(arg, r);			/* may free the peer */
}

struct peer_habits *
ask_habits(struct ask *a)
{
	return &a->peer->habits;
}

enum snmp_version
ask_version(const struct ask *a)
{
	return a->peer->cred->version;
}

void
ask_misbehaved(struct ask *a)
{
	a->peer->s->counters.malformed++;
}

bool
ask_context(struct ask *a, const char *context)
{
	const char *c = a->peer->cred->community;
	size_t n;

	if (context == NULL || *context == '\0')
		return true;
	if (ask_version(a) == SNMP_V3)
		return (a->context = strdup(context)) != NULL;
	n = strlen(c) + strlen(context) + 2;
	if ((a->community = malloc(n)) == NULL)
		return false;
	snprintf(a->community, n, "%s%s%s", c, *context == '@' ? "" : "@", context);
	return true;
}

void
ask_read(const struct ask *a, struct message_reader *r)
{
	r->p = a->varbinds;
	r->end = a->varbinds_end;
}

/* ---- receiving */

static unsigned
bucket_of(const struct ip_port *a)
{
	uint64_t h = hash_bytes(a->ip.b, sizeof a->ip.b) ^ (uint64_t)a->port * 0x9e3779b97f4a7c15u ^ a->ip.family;

	return (unsigned)((h ^ h >> 29) & (BUCKETS - 1));
}

static bool
came_from(const struct sockaddr_storage *ss, struct ip_port *out)
{
	*out = (struct ip_port){ 0 };
	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)ss;

		out->ip = ip_of(&in->sin_addr, 4);
		out->port = ntohs(in->sin_port);
		return true;
	}
	if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)ss;

		out->ip = ip_of(&in6->sin6_addr, 16);
		out->port = ntohs(in6->sin6_port);
		return true;
	}
	return false;
}

/* To a question with its id, community (NULL: the credential's) and context. */
static enum snmp_heard
hear(const struct snmp_peer *p, const char *community, const char *context, uint8_t *datagram, size_t n, struct message_look *l)
{
	const struct conf_credential *cred = p->cred;
	const char *c = community != NULL ? community : cred->community;

	if (p->engine != NULL)
		return l->version == MESSAGE_V3 ? snmp_engine_read(p->engine, datagram, n, l, context, mono_now()) : HEARD_NOTHING;
	if (l->version != (cred->version == SNMP_V1 ? MESSAGE_V1 : MESSAGE_V2C) || l->pdu != PDU_RESPONSE || l->n_community != strlen(c) ||
	    memcmp(l->community, c, l->n_community) != 0)
		return HEARD_NOTHING;
	return HEARD_RESPONSE;
}

/* What answers for the switch, as a discovery has it. */
static void
engine_found(struct snmp_peer *p, const struct message_security *m)
{
	static long long last;
	char was[ENGINE_TEXT], is[ENGINE_TEXT], text[IP_TEXT];

	if (!snmp_engine_found(p->engine, m, mono_now()))
		return;
	p->s->counters.replaced++;
	if (!log_limit(&last))
		return;
	snmp_engine_names(p->engine, was, is);
	log_warnx("%s: the SNMPv3 engine %s answers where %s did: the switch was replaced or set up anew, or somebody is in between (%llu "
	    "such changes so far)", ip_port_text(&p->to, 161, text), is, was, (unsigned long long)p->s->counters.replaced);
}

/* To a signed question a Report without a signature is only a hint, unless it makes us look for the engine anew, which is done once;
 * and so is the answer to a question of discovery from which nothing is to be learned. */
static bool
is_hint(const struct ask *a, enum snmp_heard heard, uint32_t report)
{
	if (heard != HEARD_REPORT || !snmp_engine_signs(a->peer->engine))
		return false;
	if (a->probing)
		return !snmp_engine_is_known(a->peer->engine);
	return a->reprobed || (report != USM_NOT_IN_TIME_WINDOWS && report != USM_UNKNOWN_ENGINE_IDS);
}

/* Remembered, and the answer waited for. */
static void
take_hint(struct ask *a, uint32_t report)
{
	if (a->hinted) {
		a->peer->s->counters.mismatched++;
		return;
	}
	a->hinted = true;
	a->hint = report;
	if (a->peer->budget != NULL)
		a->peer->budget->hints++;
}

/* The answer is taken while the datagram is there. Whatever follows from it may end the peer, too. */
static void
take_answer(struct ask *a, const struct message_look *l, enum snmp_heard heard)
{
	static const enum ask_outcome outcome[] = { [HEARD_RESPONSE] = ASK_ANSWERED, [HEARD_REPORT] = ASK_REFUSED,
		[HEARD_REPORT_AUTHENTIC] = ASK_REFUSED, [HEARD_UNREAD] = ASK_UNSENT };
	uint32_t report = snmp_usm_report(l);

	assert(a->flying && !a->ready && a->waiting && heard != HEARD_NOTHING);
	if (a->probing && heard == HEARD_REPORT)
		engine_found(a->peer, &l->security);
	if (is_hint(a, heard, report)) {
		take_hint(a, report);
		return;
	}
	a->peer->s->counters.mismatched += a->hinted;	/* it was false */
	a->waiting = a->hinted = false;
	a->outcome = outcome[heard];
	a->report = a->outcome == ASK_REFUSED ? report : 0;
	a->report_authentic = heard == HEARD_REPORT_AUTHENTIC;
	a->errstat = l->error;
	a->errindex = l->error_index;
	a->varbinds = l->varbinds;
	a->varbinds_end = l->end;
	ask_judge(a);
}

/* What a datagram is to those who are waited for at its source. */
struct source { bool asked, matched; struct ask *answered, *nudged; enum snmp_heard heard; };

/* The asks of one peer: *s learns whether this is an answer of theirs. No two have the same id. */
static void
source_look(struct source *s, struct snmp_peer *p, uint8_t *octets, size_t n, struct message_look *l)
{
	for (struct ask *a = p->asks; a != NULL && l->id != 0; a = a->next) {
		if (!a->waiting || a->ready || (l->id != a->reqid && l->id != a->nudge_id && l->id != a->earlier_id))
			continue;
		s->matched = true;
		if (l->id == a->nudge_id) {
			if (hear(p, NULL, NULL, octets, n, l) == HEARD_RESPONSE)
				s->nudged = a;
			return;
		}
		if ((s->heard = hear(p, a->community, a->context, octets, n, l)) == HEARD_NOTHING)
			return;
		if (l->id == a->reqid || a->twice)
			s->answered = a;
		else
			s->matched = false;	/* the answer to its repetition was taken */
		if (l->id == a->earlier_id && s->heard == HEARD_RESPONSE) {
			p->disordered = true;
			if (a->twice)
				a->sent = a->earlier_sent;
		}
		return;
	}
}

static void
datagram_in(struct snmp *s, const struct sockaddr_storage *ss, uint8_t *p, size_t n)
{
	static long long last;
	struct ip_port at;
	struct message_look l;
	struct source src = { 0 };
	struct from *bucket;
	char text[IP_TEXT];

	if (!came_from(ss, &at)) {
		s->counters.strays++;
		return;
	}
	bucket = s->buckets[bucket_of(&at)];
	for (struct from *f = bucket; f != NULL; f = f->next)
		src.asked = src.asked || (f->at.port == at.port && ip_eq(&f->at.ip, &at.ip) && f->peer->in_flight > 0);
	if (!src.asked) {
		s->counters.strays++;
		return;
	}
	if (!message_look(p, n, &l)) {
		s->counters.malformed++;
		return;
	}
	for (struct from *f = bucket; f != NULL && !src.matched; f = f->next)
		if (f->at.port == at.port && ip_eq(&f->at.ip, &at.ip))
			source_look(&src, f->peer, p, n, &l);
	if (src.answered != NULL)
		take_answer(src.answered, &l, src.heard);
	else if (src.nudged != NULL)
		ask_nudged(src.nudged);
	else if (src.matched) {
		s->counters.mismatched++;
		if (log_limit(&last))
			log_warnx("%s: reply dropped: another version, community, user or kind than was asked for, not signed, or of an earlier time",
			    ip_port_text(&at, 161, text));
	} else
		s->counters.strays++;
}

/* Up to BATCH datagrams; fewer: there are no more. */
static int
receive(struct snmp *s, int family)
{
	int n = recvmmsg(s->fd[family], s->in, BATCH, MSG_DONTWAIT, NULL);

	for (int i = 0; i < n; i++) {
		datagram_in(s, &s->from[i], s->rx + (size_t)i * DATAGRAM, s->in[i].msg_len);
		s->in[i].msg_hdr.msg_namelen = sizeof s->from[i];
	}
	return n;
}

/* How many were read; as many as a turn takes: there may be more. */
static int
receive_some(struct snmp *s, int family)
{
	int all = 0, n = BATCH;

	s->gathering = true;
	for (int i = 0; i < BATCHES_PER_TURN && n == BATCH; i++) {
		n = receive(s, family);
		all += n > 0 ? n : 0;
	}
	s->gathering = false;
	out_flush(s);
	return all;
}

/* Large switches are asked the next thing when they have answered the last, hundreds of times: where they are few, as at the end of a
 * sweep, they would go on as slowly as we look. */
static size_t
worth_a_pause(const struct snmp *s)
{
	return s->in_flight - (s->large <= LARGE_MAX ? s->large : 0);
}

/* With several questions in flight their answers are waited for together, a little: to wake up for each one costs more than to read
 * it. The sockets are then not among what wakes us. They are again once little came in a pause: those that are dead answer nothing. */
static void
pause_set(struct snmp *s, int got)
{
	const struct timeval tv = { 0, got >= TURN_MAX ? 0 : PAUSE_MS * 1000 };
	bool want;

	s->got = got;
	if (s->paused && got < PAUSE_WORTH)
		s->haste = HASTE;
	else if (s->haste > 0)
		s->haste--;
	want = got > 0 && s->haste == 0 && worth_a_pause(s) >= PAUSE_FROM && event_add(s->pause, &tv) == 0;

	for (int i = 0; i < 2 && want != s->paused; i++)
		if (s->readable[i] != NULL && (want ? event_del(s->readable[i]) : event_add(s->readable[i], NULL)) < 0)
			fatal("the poller cannot wait for its sockets");
	s->paused = want;
}

void
snmp_tidy(void)
{
#ifdef M_TRIM_THRESHOLD
	malloc_trim(0);
#endif
}

void
snmp_wipe(struct snmp *s)
{
	enum { HEAD = 1024 };		/* octets: in an answer the community comes first, and is that of a question of ours */

	out_flush(s);
	explicit_bzero(s->out, OUT_MAX * sizeof *s->out);
	for (int i = 0; i < BATCH; i++)
		explicit_bzero(s->rx + (size_t)i * DATAGRAM, HEAD);
}

bool
snmp_is_behind(const struct snmp *s)
{
	return s->got >= TURN_MAX && s->in_flight >= TURN_MAX;	/* with nothing asked there is no other turn */
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct snmp *s = arg;

	(void)what;
	pause_set(s, receive_some(s, fd == s->fd[0] ? 0 : 1));
}

static void
pause_cb(evutil_socket_t fd, short what, void *arg)
{
	struct snmp *s = arg;
	int got = 0;

	(void)fd, (void)what;
	for (int i = 0; i < 2; i++)
		if (s->peers[i] > 0)
			got += receive_some(s, i);
	pause_set(s, got);
}

/* ---- life */

static void
heap_set(void)
{
#ifdef M_TRIM_THRESHOLD
	/* Either one that is set takes the adapting of the other away. The tables of a switch of 48 ports come and go below this; those of a
	 * router with all the addresses of a site, which come seldom, would leave holes in the heap that nobody gives back. */
	mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
	mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
#endif
}

static int
socket_open(int family)
{
	struct sockaddr_storage any = { .ss_family = (sa_family_t)family };
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, size = 8 << 20;

	if (fd < 0)
		return -1;
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(fd, (struct sockaddr *)&any, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct snmp *
snmp_new(struct event_base *base)
{
	struct snmp *s = calloc(1, sizeof *s);
	bool deaf = false;

	if (s == NULL)
		return NULL;
	heap_set();
	s->base = base;
	s->ready_tail = &s->ready;
	s->fd[0] = socket_open(AF_INET);
	s->fd[1] = socket_open(AF_INET6);
	s->rx = malloc((size_t)BATCH * DATAGRAM);
	s->finish = event_new(base, -1, 0, finish_cb, s);
	s->flush = event_new(base, -1, 0, flush_cb, s);
	s->pause = evtimer_new(base, pause_cb, s);
	for (int i = 0; i < BATCH && s->rx != NULL; i++) {
		s->in_vec[i] = (struct iovec){ s->rx + (size_t)i * DATAGRAM, DATAGRAM };
		s->in[i].msg_hdr = (struct msghdr){ .msg_name = &s->from[i], .msg_namelen = sizeof s->from[i], .msg_iov = &s->in_vec[i],
			.msg_iovlen = 1 };
	}
	s->out = malloc(OUT_MAX * sizeof *s->out);
	s->usm = snmp_usm_new();
	for (int i = 0; i < 2; i++)
		if (s->fd[i] >= 0 && ((s->readable[i] = event_new(base, s->fd[i], EV_READ | EV_PERSIST, readable_cb, s)) == NULL ||
		    event_add(s->readable[i], NULL) < 0))
			deaf = true;
	if (deaf || (s->fd[0] < 0 && s->fd[1] < 0) || s->rx == NULL || s->finish == NULL ||
	    s->flush == NULL || s->pause == NULL || s->out == NULL || s->usm == NULL) {
		snmp_free(s);
		return NULL;
	}
	return s;
}

void
snmp_free(struct snmp *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		if (s->readable[i] != NULL)
			event_free(s->readable[i]);
		if (s->fd[i] >= 0)
			close(s->fd[i]);
	}
	if (s->finish != NULL)
		event_free(s->finish);
	if (s->flush != NULL)
		event_free(s->flush);
	if (s->pause != NULL)
		event_free(s->pause);
	snmp_usm_free(s->usm);
	free(s->rx);
	free(s->out);
	free(s);
}

const struct snmp_counters *
snmp_counters(const struct snmp *s)
{
	return &s->counters;
}

static void
address_set(struct snmp_peer *p, const struct ip_port *to)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(to->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(to->port) };
	bool v6 = to->ip.family == 6;

	memcpy(&in.sin_addr, to->ip.b, 4);
	memcpy(&in6.sin6_addr, to->ip.b, 16);
	p->to = *to;
	p->to_len = v6 ? sizeof in6 : sizeof in;
	memcpy(&p->to_sa, v6 ? (void *)&in6 : (void *)&in, p->to_len);
}

static void
from_add(struct snmp_peer *p, const struct ip *ip)
{
	struct from *f = &p->from[p->n_from++];
	struct from **bucket;

	*f = (struct from){ .peer = p, .at = { *ip, p->to.port } };
	bucket = &p->s->buckets[bucket_of(&f->at)];
	f->next = *bucket;
	*bucket = f;
}

static struct snmp_peer *
peer_make(struct snmp *s, const struct ip_port *to, size_t n_reply_from, const struct conf_credential *cred)
{
	struct snmp_peer *p = calloc(1, sizeof *p);

	if (p == NULL || (p->from = calloc(n_reply_from + 1, sizeof *p->from)) == NULL) {
		free(p);
		return NULL;
	}
	p->s = s;
	p->cred = cred;
	address_set(p, to);
	p->max_in_flight = 1;
	p->tries = TRIES;
	p->habits.varbinds = 20;
	return p;
}

struct snmp_peer *
snmp_peer_new(struct snmp *s, const struct ip_port *to, const struct ip *reply_from, size_t n_reply_from,
    const struct conf_credential *cred, const char **why)
{
	struct snmp_peer *p;

	*why = NULL;
	if ((to->ip.family != 4 && to->ip.family != 6) || s->fd[to->ip.family == 6] < 0)
		*why = "no socket of this address family";
	else if (to->ip.family == 6 && to->ip.b[0] == 0xfe && (to->ip.b[1] & 0xc0) == 0x80)
		*why = "a link-local address names no interface: use a global one";
	else if (cred->version == SNMP_V3 ? cred->user == NULL : cred->community == NULL)
		*why = "no user or community";
	if (*why != NULL || (p = peer_make(s, to, n_reply_from, cred)) == NULL)
		return NULL;
	if (cred->version == SNMP_V3 && (p->engine = snmp_engine_new(s->usm, cred, why)) == NULL) {
		if (**why == '\0')
			*why = NULL;
		free(p->from);
		free(p);
		return NULL;
	}
	s->peers[to->ip.family == 6]++;
	from_add(p, &to->ip);
	for (size_t i = 0; i < n_reply_from; i++)
		from_add(p, &reply_from[i]);
	return p;
}

void
snmp_peer_max_in_flight(struct snmp_peer *p, unsigned n)
{
	p->max_in_flight = n < 1 ? 1 : n;
}

void
snmp_peer_tries(struct snmp_peer *p, unsigned n)
{
	p->tries = n < 1 ? 1 : n > TRIES ? TRIES : n;
}

void
snmp_peer_budget(struct snmp_peer *p, struct snmp_budget *b)
{
	p->budget = b;
}

void
snmp_peer_forget(struct snmp_peer *p)
{
	assert(p->in_flight == 0);
	if (p->engine != NULL)
		snmp_engine_forget(p->engine);
}

void
snmp_peer_rebind(struct snmp_peer *p, const struct conf_credential *cred)
{
	assert(cred->version == p->cred->version);
	p->cred = cred;
	if (p->engine != NULL)
		snmp_engine_rebind(p->engine, cred);
}

void
snmp_peer_free(struct snmp_peer *p)
{
	struct snmp *s;

	if (p == NULL)
		return;
	s = p->s;
	assert(s->in_flight >= p->in_flight && s->peers[p->to.ip.family == 6] > 0);
	s->in_flight -= p->in_flight;
	s->peers[p->to.ip.family == 6]--;
	out_leave(p);
	snmp_engine_free(p->engine);
	for (struct ask **at = &s->ready; *at != NULL;)
		if ((*at)->peer == p)
			*at = (*at)->next_ready;
		else
			at = &(*at)->next_ready;
	for (s->ready_tail = &s->ready; *s->ready_tail != NULL; s->ready_tail = &(*s->ready_tail)->next_ready)
		;
	for (struct ask *a = p->asks, *next; a != NULL; a = next) {
		next = a->next;
		if (a->flying)
			timeouts_set(a, 0);
		large_set(a, false);
		ask_free(a);
	}
	for (size_t i = 0; i < p->n_from; i++)
		for (struct from **at = &s->buckets[bucket_of(&p->from[i].at)]; *at != NULL; at = &(*at)->next)
			if (*at == &p->from[i]) {
				*at = p->from[i].next;
				break;
			}
	free(p->from);
	free(p);
}

const char *
snmp_result_text(enum snmp_result r)
{
	static const char *const text[] = { "answered", "no answer", "refused (user, password or level)", "the agent misbehaves",
		"more rows than allowed", "no time left", "more requests needed than allowed", "not sent (out of memory?)" };

	return (unsigned)r < nitems(text) ? text[r] : "?";
}

const char *
snmp_peer_result_text(const struct snmp_peer *p, enum snmp_result r)
{
	static const char *const why[] = { [USM_UNSUPPORTED_LEVELS] = "refused: not with this level of security",
		[USM_NOT_IN_TIME_WINDOWS] = "refused: no time could be agreed on", [USM_UNKNOWN_USERS] = "refused: unknown user",
		[USM_UNKNOWN_ENGINE_IDS] = "refused: unknown engine ID", [USM_WRONG_DIGESTS] = "refused: wrong digest (auth protocol or password)",
		[USM_DECRYPTION_ERRORS] = "refused: not to be decrypted (priv protocol or password)" };

	/* Agents say nothing to what they cannot decrypt. */
	if (r == SNMP_TIMED_OUT && p->engine != NULL && snmp_engine_is_known(p->engine) && p->cred->priv != PRIV_NONE)
		return "no answer, but to the discovery of its engine: wrong priv protocol or password?";
	return r == SNMP_DENIED && p->refused < nitems(why) && why[p->refused] != NULL ? why[p->refused] : snmp_result_text(r);
}

/* ---- GET */

struct get {
	struct ask	 ask;		/* first */
	bool		 told[ASK_OIDS];
	size_t		 n;
	bool		 one_by_one;
	struct message_oid want[ASK_OIDS], question[ASK_OIDS];	/* as many as `n` and ask.n say; last: they are large */
};

static bool
get_fill(struct get *g)
{
	g->ask.n = 0;
	for (size_t i = 0; i < g->n && !(g->one_by_one && g->ask.n == 1); i++)
		if (!g->told[i])
			oid_set(&g->ask.oids[g->ask.n++], g->want[i].v, g->want[i].n);
	return g->ask.n > 0;
}

static struct message_oid *
get_find(struct get *g, const uint32_t *v, size_t n)
{
	for (size_t i = 0; i < g->n; i++)
		if (!g->told[i] && g->want[i].n == n && memcmp(g->want[i].v, v, n * sizeof *v) == 0) {
			g->told[i] = true;
			return &g->want[i];
		}
	return NULL;
}

static void
get_absent(struct get *g, size_t index)
{
	struct message_oid *w = get_find(g, g->ask.oids[index].v, g->ask.oids[index].n);
	struct varbind v = { .oid = g->ask.oids[index].v, .oid_len = g->ask.oids[index].n, .type = VB_NO_OBJECT };

	if (w != NULL)
		g->ask.each(g->ask.arg, &v);
}

static void
get_answered(struct ask *a)
{
	struct get *g = (struct get *)a;
	struct message_reader r;
	struct varbind v;
	size_t got = 0;

	if (a->outcome != ASK_ANSWERED) {
		ask_end(a, ask_result(a));
		return;
	}
	if (a->errstat != 0) {
		if (a->errstat != ERR_TOOBIG && a->errindex >= 1 && (size_t)a->errindex <= a->n)
			get_absent(g, (size_t)a->errindex - 1);
		else if (a->n > 1)
			g->one_by_one = true;
		else {
			ask_end(a, SNMP_BROKEN);
			return;
		}
	} else {
		ask_read(a, &r);
		while (message_next(&r, &v))
			if (v.type != 0xff && get_find(g, v.oid, v.oid_len) != NULL) {
				got++;
				a->each(a->arg, &v);
			} else
				ask_misbehaved(a);
		if (got == 0) {
			ask_end(a, SNMP_BROKEN);
			return;
		}
	}
	if (get_fill(g))
		ask_again(a);
	else
		ask_end(a, SNMP_DONE);
}

static void
get_drop(struct ask *a)
{
	free(a);
}

bool
snmp_get(struct snmp_peer *p, const uint32_t *const *oids, const size_t *oid_lens, size_t n, snmp_varbind_fn *each,
    snmp_done_fn *done, void *arg)
{
	struct get *g = malloc(sizeof *g);

	assert(n > 0 && n <= ASK_OIDS);
	if (g == NULL)
		return false;
	memset(g, 0, offsetof(struct get, want));
	if (!ask_init(&g->ask, p)) {
		free(g);
		return false;
	}
	g->ask.oids = g->question;
	g->ask.answered = get_answered;
	g->ask.drop = get_drop;
	g->ask.each = each;
	g->ask.done = done;
	g->ask.arg = arg;
	g->ask.command = ASK_GET;
	for (g->n = 0; g->n < n && g->n < ASK_OIDS; g->n++)
		oid_set(&g->want[g->n], oids[g->n], oid_lens[g->n]);
	get_fill(g);
	ask_start(&g->ask);
	return true;
}
