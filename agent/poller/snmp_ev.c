/* agent/poller/snmp_ev.c: SNMP on libevent: one socket per address family, replies sorted by where they come from, adaptive
 * time-outs. Nothing here blocks. v1 and v2c are written and read by snmp_message.c; a v3 peer has a session of Net-SNMP on a
 * transport of our own, whose callbacks only take notes: what follows from them happens in finish_cb(), outside of the library. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/large_fd_set.h>
#include <net-snmp/library/snmpUDPDomain.h>
#include <net-snmp/library/snmpUDPIPv6Domain.h>

#include "poller/snmp.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
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
#define BUCKETS 4096			/* power of two */
#define TRIES 3
#define RTO_FIRST_MS 1000
#define RTO_MIN_MS 500
#define RTO_MAX_MS 8000
#define OUT_MAX 64
#define OUT_OCTETS 8192			/* more than the largest question takes */
#define PAUSE_MS 2
#define PAUSE_FROM 4			/* questions in flight */
#define PAUSE_WORTH 8			/* answers */
#define HASTE 32			/* reads without a pause after one that was not worth it */
#define HEAP_KEPT (8 << 20)		/* what is free at its end is given back from this on */
#define LIBRARY_LATE_MS 1000		/* past its time-out the library is not asked any more */

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
	void				*session;	/* v3; NULL: v1 or v2c */
	struct snmp_usm			 usm;
	struct from			*from;
	size_t				 n_from;
	struct ask			*asks;	/* in order of asking: those in flight first */
	unsigned			 in_flight, max_in_flight, tries;
	struct snmp_budget		*budget;	/* NULL: none */
	struct rtt			 rtt[2];	/* GET and GETNEXT; GETBULK */
	struct peer_habits		 habits;
	bool				 closing;
};

struct snmp {
	struct event_base	*base;
	int			 fd[2];		/* IPv4, IPv6; -1: none */
	struct event		*readable[2], *finish, *flush;
	struct ask		*ready, **ready_tail;
	struct from		*buckets[BUCKETS];
	struct snmp_keys	*keys;
	struct snmp_counters	 counters;
	netsnmp_large_fd_set	 fds;
	uint8_t			*rx;
	struct out		*out;		/* OUT_MAX */
	size_t			 n_out;
	bool			 gathering;	/* whoever set it will flush */
	struct event		*pause;
	bool			 paused;	/* the sockets are looked at when `pause` rings, not when they are readable */
	unsigned		 haste;		/* reads until the next pause is tried */
	int			 got;		/* answers of the last turn */
	size_t			 in_flight;	/* of all peers */
	size_t			 peers[2];	/* of each address family */
	struct sockaddr_storage	 from[BATCH];
	struct mmsghdr		 in[BATCH];
	struct iovec		 in_vec[BATCH];
};

static struct { const uint8_t *p; size_t n; } current;	/* the datagram t_recv() hands over */
static uintptr_t serials;
static uint32_t ids;			/* of requests: begun anywhere, so that nobody off the path can tell the next */
static struct snmp_peer *at_work;	/* whose session the library works on */
static bool resent_by_library;		/* v3: it has answered a notInTimeWindows by asking again */

/* ---- the transport */

static int
t_recv(netsnmp_transport *t, void *out, int size, void **opaque, int *opaque_len)
{
	(void)t;
	*opaque = NULL;
	*opaque_len = 0;
	if (size < 0 || current.n > (size_t)size)
		return -1;
	memcpy(out, current.p, current.n);
	return (int)current.n;
}

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

static int
t_send(netsnmp_transport *t, const void *p, int n, void **opaque, int *opaque_len)
{
	struct out *o;

	(void)t, (void)opaque, (void)opaque_len;
	assert(at_work != NULL);
	if (n < 0 || (size_t)n > OUT_OCTETS)
		return -1;
	o = out_next(at_work);
	memcpy(o->octets, p, (size_t)n);
	out_put(at_work->s, o, o->octets, (size_t)n);
	return n;
}

static int
t_close(netsnmp_transport *t)
{
	t->sock = -1;			/* the descriptor is shared */
	return 0;
}

/* ---- into the library and out of it */

static void
library_enter(struct snmp_peer *p)
{
	assert(at_work == NULL && p->session != NULL);	/* never two peers at once */
	at_work = p;
	snmp_usm_use(&p->usm);
}

static void
library_leave(struct snmp_peer *p)
{
	assert(at_work == p);
	at_work = NULL;
	snmp_usm_park(&p->usm);
}

/* ---- sending */

static void
ask_ready(struct ask *a, enum ask_outcome outcome)
{
	struct snmp *s = a->peer->s;

	assert(a->flying && outcome != ASK_OPEN);
	a->serial = 0;
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

static int32_t
next_id(void)
{
	ids = ids % INT32_MAX + 1;
	return (int32_t)ids;
}

/* From inside the library: notes only. A Report comes twice, the second time with its PDU. */
static int
answer_cb(int op, netsnmp_session *ss, int reqid, netsnmp_pdu *pdu, void *magic)
{
	struct snmp_peer *p = ss->callback_magic;
	struct ask *a;

	(void)reqid;
	if (p == NULL || p->closing)
		return 1;
	for (a = p->asks; a != NULL && (a->serial == 0 || a->serial != (uintptr_t)magic); a = a->next)
		;
	if (op == NETSNMP_CALLBACK_OP_RESEND) {
		resent_by_library = true;
		count_request(p);
		return 0;
	}
	if (a == NULL)
		return 1;
	if (op == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu != NULL) {
		a->report = pdu->command == SNMP_MSG_REPORT;
		if (a->report && pdu->variables != NULL && pdu->variables->name_length >= 10)
			a->report_engine = pdu->variables->name[9] == 4 || pdu->variables->name[9] == 2;
		if (!a->report) {
			snmp_free_varbind(a->vars);
			a->vars = pdu->variables;
			pdu->variables = NULL;
			a->errstat = pdu->errstat;
			a->errindex = pdu->errindex;
		}
		a->outcome = a->report ? ASK_REFUSED : ASK_ANSWERED;
	} else if (op == NETSNMP_CALLBACK_OP_SEC_ERROR)
		a->outcome = ASK_REFUSED;
	else if (op == NETSNMP_CALLBACK_OP_TIMED_OUT)
		a->outcome = ASK_LOST;
	else
		a->outcome = ASK_UNSENT;
	return 1;
}

static int
unasked_cb(int op, netsnmp_session *ss, int reqid, netsnmp_pdu *pdu, void *magic)
{
	(void)op, (void)ss, (void)reqid, (void)pdu, (void)magic;
	return 1;
}

static long
rto_ms(const struct ask *a)
{
	const struct rtt *r = &a->peer->rtt[a->command == ASK_BULK && !a->probing];
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
	struct rtt *r = &a->peer->rtt[a->command == ASK_BULK && !a->probing];
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

/* v3. The library tests "strictly later" in its own time: a second look a little after, when it does not agree yet. */
static void
library_timeout(struct ask *a)
{
	struct snmp_peer *p = a->peer;

	a->outcome = ASK_OPEN;
	library_enter(p);
	snmp_sess_timeout(p->session);
	library_leave(p);
	/* Another one of the same peer may have run out as well. */
	for (struct ask *b = p->asks; b != NULL; b = b->next)
		if (b->flying && !b->ready && b->serial != 0 && b->outcome != ASK_OPEN)
			ask_ready(b, b->outcome);
	/* No question may hang: neither by a library that has forgotten it nor by a timer that cannot be set. */
	if (!a->ready && (mono_since(a->given_up, mono_now()) > LIBRARY_LATE_MS || !arm(a, 5)))
		ask_ready(a, ASK_LOST);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;
	int64_t left = mono_since(mono_now(), a->given_up);

	(void)fd, (void)what;
	a->armed = false;
	if (a->serial == 0)
		return;				/* nothing is waited for */
	if (left > 0 && arm(a, (long)left + 1))
		return;				/* it was set for an earlier datagram */
	if (a->peer->session == NULL)
		ask_ready(a, ASK_LOST);
	else
		library_timeout(a);
}

/* v3 */
static netsnmp_pdu *
pdu_of(struct ask *a)
{
	static const int command[] = { SNMP_MSG_GET, SNMP_MSG_GETNEXT, SNMP_MSG_GETBULK };
	netsnmp_pdu *pdu = snmp_pdu_create((int)command[a->probing ? ASK_GET : a->command]);

	if (pdu == NULL)
		return NULL;
	if (a->probing) {		/* RFC 3414 section 4: no user, no objects; the answer is a Report with the engine */
		pdu->version = SNMP_VERSION_3;
		pdu->securityModel = SNMP_SEC_MODEL_USM;
		pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
		pdu->securityNameLen = 0;
		if ((pdu->securityName = strdup("")) == NULL)
			goto no_memory;
		return pdu;
	}
	if (a->command == ASK_BULK) {
		pdu->non_repeaters = 0;
		pdu->max_repetitions = a->repetitions > 0 ? a->repetitions : 1;
	}
	for (size_t i = 0; i < a->n; i++) {
		oid name[OID_MAX];

		for (size_t k = 0; k < a->oids[i].n; k++)
			name[k] = a->oids[i].v[k];
		if (snmp_add_null_var(pdu, name, a->oids[i].n) == NULL)
			goto no_memory;
	}
	if (a->context != NULL) {
		if ((pdu->contextName = strdup(a->context)) == NULL)
			goto no_memory;
		pdu->contextNameLen = strlen(a->context);
	}
	return pdu;
no_memory:
	snmp_free_pdu(pdu);
	return NULL;
}

/* v1 and v2c. false: it cannot be written. */
static bool
message_send(struct ask *a)
{
	static const uint8_t pdu[] = { PDU_GET, PDU_GETNEXT, PDU_GETBULK };
	const struct conf_credential *cred = a->peer->cred;
	struct out *o = out_next(a->peer);
	struct message_question q = { .version = cred->version == SNMP_V1 ? MESSAGE_V1 : MESSAGE_V2C,
		.community = a->community != NULL ? a->community : cred->community, .pdu = pdu[a->command], .id = next_id(),
		.repetitions = (int32_t)(a->repetitions > 0 ? a->repetitions : 1), .oids = a->oids, .n = a->n };
	uint8_t *p = message_write(&q, o->octets, OUT_OCTETS);

	if (p == NULL)
		return false;
	a->reqid = q.id;
	out_put(a->peer->s, o, p, (size_t)(o->octets + OUT_OCTETS - p));
	return true;
}

static bool
library_send(struct ask *a, long ms)
{
	struct snmp_peer *p = a->peer;
	netsnmp_session *ss = snmp_sess_session(p->session);
	netsnmp_pdu *pdu;
	int id;

	a->probing = !snmp_usm_has_engine(&p->usm);
	if ((!a->probing && !snmp_usm_user(&p->usm)) || (pdu = pdu_of(a)) == NULL)
		return false;
	ss->timeout = ms * 1000;
	ss->retries = 0;
	ss->flags |= SNMP_FLAGS_DONT_PROBE;	/* or it asks for the engine by itself, and waits */
	library_enter(p);
	id = snmp_sess_async_send(p->session, pdu, answer_cb, (void *)serials);
	library_leave(p);
	if (id == 0)
		snmp_free_pdu(pdu);
	return id != 0;
}

/* One datagram. ASK_OPEN: it is on its way; else why there is none: the budget, or (ASK_UNSENT) the library or our memory. */
static enum ask_outcome
ask_send(struct ask *a)
{
	struct snmp_peer *p = a->peer;
	int64_t left = INT64_MAX;
	long ms;

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
	a->report = a->report_engine = false;
	a->errstat = a->errindex = 0;
	ms = rto_ms(a);
	ms = left < ms ? (long)left : ms;	/* a try at the end of the time allowed is a short one */
	a->serial = 0;				/* a callback from inside the call is a failure that the return value tells, too */
	if (++serials == 0)
		serials = 1;
	if (p->session != NULL ? !library_send(a, ms) : !message_send(a))
		return ASK_UNSENT;
	count_request(p);
	a->given_up = mono_add(a->sent, ms);
	if (!arm(a, ms + 1))
		return ASK_UNSENT;	/* with serial 0: whatever comes is not taken for an answer */
	a->serial = serials;
	return ASK_OPEN;
}

static void
ask_go(struct ask *a)
{
	enum ask_outcome o = ask_send(a);

	if (o != ASK_OPEN)
		ask_ready(a, o);
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

/* ---- what follows from an answer, outside of the library */

static void
vars_free(struct ask *a)
{
	snmp_free_varbind(a->vars);
	a->vars = NULL;
	a->varbinds = a->varbinds_end = NULL;
}

static void
ask_judge(struct ask *a)
{
	struct snmp_peer *p = a->peer;

	if (a->outcome == ASK_LOST) {
		p->s->counters.timeouts++;
		if (p->budget != NULL)
			p->budget->timeouts++;
		if (++a->timeouts < p->tries) {
			if (a->timeouts == TRIES - 1 && p->cred->version == SNMP_V3 && !a->probing && !a->reprobed) {
				a->reprobed = true;	/* a replaced switch does not understand the old engine ID */
				snmp_usm_forget(&p->usm);
			} else if (a->lost_one != NULL && !a->probing)
				a->lost_one(a);
			p->s->counters.resent++;
			ask_go(a);
			return;
		}
		a->answered(a);
		return;
	}
	if (a->probing && (a->outcome == ASK_REFUSED || a->outcome == ASK_ANSWERED)) {
		p->s->counters.replies++;
		rtt_sample(a);
		if (snmp_usm_has_engine(&p->usm)) {
			if (a->reprobed && a->timeouts > 0)
				a->timeouts = 1;
			else
				a->timeouts = 0;
			ask_go(a);
			return;
		}
		a->outcome = ASK_REFUSED;
	} else if (a->outcome == ASK_REFUSED) {
		p->s->counters.replies++;
		if (a->report_engine && !a->reprobed) {	/* unknownEngineIDs, or a time window that cannot be agreed on */
			a->reprobed = true;
			snmp_usm_forget(&p->usm);
			ask_go(a);
			return;
		}
	} else if (a->outcome == ASK_ANSWERED) {
		p->s->counters.replies++;
		rtt_sample(a);
		a->timeouts = 0;
	}
	a->answered(a);
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
	vars_free(a);
	a->timeouts = 0;
	ask_go(a);
}

static void
ask_free(struct ask *a)
{
	if (a->timer != NULL)
		event_free(a->timer);
	vars_free(a);
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
	for (struct ask **at = &p->asks; *at != NULL; at = &(*at)->next)
		if (*at == a) {
			*at = a->next;
			break;
		}
	p->in_flight--;
	p->s->in_flight--;
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

static bool
oid_copy(struct message_oid *out, const oid *from, size_t n)
{
	out->n = 0;
	if (from == NULL || n > OID_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (from[i] > UINT32_MAX)
			return false;
		out->v[i] = (uint32_t)from[i];
	}
	out->n = n;
	return true;
}

void
ask_read(const struct ask *a, struct ask_reader *r)
{
	r->at = a->vars;
	r->m.p = a->varbinds;
	r->m.end = a->varbinds_end;
}

bool
ask_next_varbind(struct ask_reader *r, struct varbind *out)
{
	const netsnmp_variable_list *v = r->at;

	if (r->m.p != NULL)
		return message_next(&r->m, out);
	if (v == NULL)
		return false;
	r->at = v->next_variable;
	*out = (struct varbind){ .type = v->type };
	if (!oid_copy(&r->m.name, v->name, v->name_length)) {
		out->type = 0xff;
		return true;
	}
	out->oid = r->m.name.v;
	out->oid_len = r->m.name.n;
	switch (v->type) {
	case VB_INTEGER: case VB_COUNTER: case VB_GAUGE: case VB_TIMETICKS:
		if (v->val.integer == NULL || v->val_len != sizeof(long))
			out->type = VB_NULL;
		else
			out->number = v->type == VB_INTEGER ? *v->val.integer : (int64_t)(uint32_t)*v->val.integer;
		break;
	case VB_COUNTER64:
		if (v->val.counter64 == NULL || v->val_len != sizeof(struct counter64))
			out->type = VB_NULL;
		else {
			uint64_t n = (uint64_t)(uint32_t)v->val.counter64->high << 32 | (uint32_t)v->val.counter64->low;

			out->number = n > INT64_MAX ? INT64_MAX : (int64_t)n;
		}
		break;
	case VB_IPADDRESS: case VB_OCTETS: case VB_OPAQUE:
		if ((v->val.string == NULL && v->val_len > 0) || (v->type == VB_IPADDRESS && v->val_len != 4))
			out->type = VB_NULL;
		else {
			out->octets = v->val.string;
			out->n_octets = v->val_len;
		}
		break;
	case VB_OID:
		if (!oid_copy(&r->m.value, v->val.objid, v->val_len / sizeof(oid)))
			out->type = VB_NULL;
		else {
			out->value_oid = r->m.value.v;
			out->value_oid_len = r->m.value.n;
		}
		break;
	default:
		break;
	}
	return true;
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

static bool
is_ours(const struct ask *a, const struct message_look *l)
{
	static const long version[] = { [SNMP_V1] = MESSAGE_V1, [SNMP_V2C] = MESSAGE_V2C, [SNMP_V3] = MESSAGE_V3 };
	const struct conf_credential *cred = a->peer->cred;
	const char *c = a->community != NULL ? a->community : cred->community;

	if (l->version != version[cred->version])
		return false;
	return l->version == MESSAGE_V3 ||
	    (l->pdu == PDU_RESPONSE && l->n_community == strlen(c) && memcmp(l->community, c, l->n_community) == 0);
}

/* v3. false: the library made nothing of it. */
static bool
hand_over(struct snmp_peer *p, int family, const uint8_t *datagram, size_t n, const struct message_look *l)
{
	bool strange = !snmp_usm_is_engine(&p->usm, l->engine, l->n_engine), took = false;

	current.p = datagram;
	current.n = n;
	resent_by_library = false;
	netsnmp_large_fd_setfd(p->s->fd[family], &p->s->fds);
	library_enter(p);
	snmp_sess_read2(p->session, &p->s->fds);
	library_leave(p);
	if (strange)
		snmp_usm_sweep();
	netsnmp_large_fd_clr(p->s->fd[family], &p->s->fds);
	for (struct ask *a = p->asks; a != NULL; a = a->next)
		if (a->flying && !a->ready && a->serial != 0 && a->outcome != ASK_OPEN) {
			ask_ready(a, a->outcome);
			took = true;
		}
	return took || resent_by_library;
}

/* v1 and v2c: the answer is taken while the datagram is there. Whatever follows from it may end the peer, too. */
static void
take_answer(struct ask *a, const struct message_look *l)
{
	assert(a->flying && !a->ready && a->serial != 0 && a->peer->session == NULL);
	a->serial = 0;
	a->outcome = ASK_ANSWERED;
	a->errstat = l->error;
	a->errindex = l->error_index;
	a->varbinds = l->varbinds;
	a->varbinds_end = l->end;
	ask_judge(a);
}

/* What a datagram is to those who are waited for at its source. */
struct source { bool asked, matched, used; struct ask *answered; };

/* The asks of one peer: *s learns whether this is of theirs. v3 ones are taken at once, by the library. */
static void
source_look(struct source *s, struct snmp_peer *p, int family, const uint8_t *octets, size_t n, const struct message_look *l)
{
	bool wanted = false;

	for (struct ask *a = p->asks; a != NULL; a = a->next) {
		if (a->serial == 0 || a->ready || (l->version != MESSAGE_V3 && l->id != a->reqid))
			continue;
		s->matched = true;
		if (!is_ours(a, l))
			continue;
		wanted = true;
		if (l->version != MESSAGE_V3)
			s->answered = a;
	}
	if (wanted && l->version == MESSAGE_V3)
		s->used = hand_over(p, family, octets, n, l) || s->used;
}

static void
datagram_in(struct snmp *s, int family, const struct sockaddr_storage *ss, const uint8_t *p, size_t n)
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
	for (struct from *f = bucket; f != NULL; f = f->next)
		if (f->at.port == at.port && ip_eq(&f->at.ip, &at.ip))
			source_look(&src, f->peer, family, p, n, &l);
	if (src.answered != NULL)
		take_answer(src.answered, &l);
	else if (src.matched && !src.used) {
		s->counters.mismatched++;
		if (log_limit(&last))
			log_warnx("%s: reply dropped: another version, community, user or kind than was asked for",
			    ip_port_text(&at, 161, text));
	} else if (!src.used)
		s->counters.strays++;
}

/* Up to BATCH datagrams; fewer: there are no more. */
static int
receive(struct snmp *s, int family)
{
	int n = recvmmsg(s->fd[family], s->in, BATCH, MSG_DONTWAIT, NULL);

	for (int i = 0; i < n; i++) {
		datagram_in(s, family, &s->from[i], s->rx + (size_t)i * DATAGRAM, s->in[i].msg_len);
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

/* With several questions in flight their answers are waited for together, a little: to wake up for each one costs more than to read
 * it. The sockets are then not among what wakes us. They are again once little came in a pause: a few large switches, each asked the
 * next thing when it has answered the last, would go on as slowly as we look; and those that are dead answer nothing. */
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
	want = got > 0 && s->haste == 0 && s->in_flight >= PAUSE_FROM && event_add(s->pause, &tv) == 0;

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

bool
snmp_is_behind(const struct snmp *s)
{
	return s->got >= TURN_MAX / 2 && s->in_flight >= TURN_MAX / 2;	/* with nothing asked there is no other turn */
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

/* It would write to standard error for each datagram with a wrong digest, and anybody can send those. */
static int
library_said(int major, int minor, void *server, void *client)
{
	(void)major, (void)minor, (void)client;
	log_debug("net-snmp: %.200s", ((struct snmp_log_message *)server)->msg);
	return 0;
}

static void
library_init(void)
{
	static bool done;

	if (done)
		return;
	done = true;
#ifdef M_TRIM_THRESHOLD
	/* And one that is set takes the other's adapting away. The tables of a switch of 48 ports stay below this; those of a router with all
	 * the addresses of a site, which come seldom, would leave holes in the heap that nobody gives back. */
	mallopt(M_MMAP_THRESHOLD, HEAP_KEPT / 16);
	/* The library takes 64 KiB for each datagram it reads; at the end of the heap they would go back to the system each time. */
	mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
#endif
	setenv("MIBS", "", 1);
	setenv("MIBDIRS", "", 1);	/* empty, not unset: the default is folders */
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, library_said, NULL);
	snmp_enable_calllog();		/* with no log at all it takes standard error */
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, 1);
	init_snmp("camtrapd");
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
	library_init();
	s->base = base;
	s->ready_tail = &s->ready;
	s->fd[0] = socket_open(AF_INET);
	s->fd[1] = socket_open(AF_INET6);
	netsnmp_large_fd_set_init(&s->fds, FD_SETSIZE);
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
	for (int i = 0; i < 2; i++)
		if (s->fd[i] >= 0 && ((s->readable[i] = event_new(base, s->fd[i], EV_READ | EV_PERSIST, readable_cb, s)) == NULL ||
		    event_add(s->readable[i], NULL) < 0))
			deaf = true;
	if (deaf || (s->fd[0] < 0 && s->fd[1] < 0) || s->rx == NULL || s->finish == NULL ||
	    s->flush == NULL || s->pause == NULL || s->out == NULL || getrandom(&ids, sizeof ids, 0) != (ssize_t)sizeof ids) {
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
	snmp_keys_free(s->keys);
	netsnmp_large_fd_set_cleanup(&s->fds);
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

static netsnmp_transport *
transport_new(const struct snmp_peer *p)
{
	netsnmp_transport *t = calloc(1, sizeof *t);
	bool v6 = p->to.ip.family == 6;

	if (t == NULL)
		return NULL;
	t->domain = v6 ? netsnmp_UDPIPv6Domain : netsnmpUDPDomain;
	t->domain_length = v6 ? 9 : (int)netsnmpUDPDomain_len;
	t->sock = p->s->fd[v6];
	t->flags = NETSNMP_TRANSPORT_FLAG_OPENED;
	t->msgMaxSize = 65507;
	t->f_recv = t_recv;
	t->f_send = t_send;
	t->f_close = t_close;
	t->remote_length = (int)p->to_len;
	if ((t->remote = netsnmp_memdup(&p->to_sa, (size_t)p->to_len)) == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

/* A v3 peer's session. NULL: well; else why not, static; "": out of memory. */
static const char *
session_open(struct snmp_peer *p)
{
	const char *why;
	netsnmp_session t;
	netsnmp_transport *transport = NULL;

	snmp_sess_init(&t);
	t.callback = unasked_cb;
	t.callback_magic = p;
	t.timeout = RTO_FIRST_MS * 1000;
	t.retries = 0;
	t.flags |= SNMP_FLAGS_DONT_PROBE;
	why = snmp_usm_template(&p->s->keys, &t, p->cred);
	if (why == NULL && (transport = transport_new(p)) == NULL)
		why = "";
	if (why == NULL && (p->session = snmp_sess_add_ex(&t, transport, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) == NULL)
		why = "refused by the library";		/* which freed the transport */
	if (why == NULL)
		p->usm.session = snmp_sess_session(p->session);
	explicit_bzero(&t, sizeof t);
	return why;
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
	if (cred->version == SNMP_V3 && (*why = session_open(p)) != NULL) {
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
	snmp_usm_forget(&p->usm);
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
	p->closing = true;		/* the library tells of open requests */
	out_leave(p);
	snmp_usm_forget(&p->usm);
	if (p->session != NULL)
		snmp_sess_close(p->session);
	for (struct ask **at = &s->ready; *at != NULL;)
		if ((*at)->peer == p)
			*at = (*at)->next_ready;
		else
			at = &(*at)->next_ready;
	for (s->ready_tail = &s->ready; *s->ready_tail != NULL; s->ready_tail = &(*s->ready_tail)->next_ready)
		;
	for (struct ask *a = p->asks, *next; a != NULL; a = next) {
		next = a->next;
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
	struct ask_reader r;
	struct varbind v;
	size_t got = 0;

	if (a->outcome != ASK_ANSWERED) {
		ask_end(a, ask_result(a));
		return;
	}
	if (a->errstat != 0) {
		if (a->errstat != SNMP_ERR_TOOBIG && a->errindex >= 1 && (size_t)a->errindex <= a->n)
			get_absent(g, (size_t)a->errindex - 1);
		else if (a->n > 1)
			g->one_by_one = true;
		else {
			ask_end(a, SNMP_BROKEN);
			return;
		}
	} else {
		ask_read(a, &r);
		while (ask_next_varbind(&r, &v))
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
