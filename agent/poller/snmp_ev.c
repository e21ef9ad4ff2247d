/* agent/poller/snmp_ev.c: Net-SNMP on libevent: one socket per address family, one library session per peer on a transport of
 * our own, replies sorted by where they come from, adaptive time-outs. Nothing here blocks. The library's callbacks only take
 * notes; what follows from them happens in finish_cb(), outside of the library. */
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
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "poller/snmp_inner.h"
#include "poller/snmp_usm.h"

#define BATCH 16
#define BATCHES_PER_TURN 4
#define DATAGRAM 65536
#define BUCKETS 4096			/* power of two */
#define TRIES 3
#define RTO_FIRST_MS 1000
#define RTO_MIN_MS 500
#define RTO_MAX_MS 8000
#define HEAP_KEPT (8 << 20)		/* what is free at its end is given back from this on */
#define LIBRARY_LATE_MS 1000		/* past its time-out the library is not asked any more */

struct rtt { bool known; double srtt, rttvar; };

/* Where replies to a peer may come from: one entry in the hash table. */
struct from {
	struct from		*next;		/* in the bucket */
	struct snmp_peer	*peer;
	struct ip_port		 at;
};

struct snmp_peer {
	struct snmp			*s;
	const struct conf_credential	*cred;
	struct ip_port			 to;
	void				*session;
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
	struct event		*readable[2], *finish;
	struct ask		*ready, **ready_tail;
	struct from		*buckets[BUCKETS];
	struct snmp_keys	*keys;
	struct snmp_counters	 counters;
	netsnmp_large_fd_set	 fds;
	uint8_t			*rx;
};

static struct { const uint8_t *p; size_t n; } current;	/* the datagram t_recv() hands over */
static uintptr_t serials;
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

static int
t_send(netsnmp_transport *t, const void *p, int n, void **opaque, int *opaque_len)
{
	(void)opaque, (void)opaque_len;
	static long long last;
	char text[IP_TEXT];

	/* What the system does not take now is lost like any datagram: the time-out sends it again. */
	if (sendto(t->sock, p, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, t->remote, (socklen_t)t->remote_length) < 0 && at_work != NULL) {
		at_work->s->counters.unsent++;
		if (log_limit(&last))
			log_warn("%s: datagram of %d octets not sent", ip_port_text(&at_work->to, 161, text), n);
	}
	return n;
}

static int
t_close(netsnmp_transport *t)
{
	t->sock = -1;			/* the descriptor is shared */
	return 0;
}

/* ---- a first look at a datagram: version, then community and request-id, or the engine */

struct look {
	long		 version;
	const uint8_t	*community, *engine;	/* engine: NULL where it is not plain to see */
	size_t		 n_community, n_engine;
	uint8_t		 pdu;
	long		 reqid;
};

static bool
ber_head(const uint8_t **p, const uint8_t *end, uint8_t *tag, size_t *n)
{
	if (end - *p < 2)
		return false;
	*tag = *(*p)++;
	*n = *(*p)++;
	if (*n & 0x80) {
		unsigned octets = *n & 0x7f;

		if (octets == 0 || octets > 4 || (size_t)(end - *p) < octets)
			return false;
		for (*n = 0; octets > 0; octets--)
			*n = *n << 8 | *(*p)++;
	}
	return *n <= (size_t)(end - *p);
}

static bool
ber_int(const uint8_t **p, const uint8_t *end, long *out)
{
	uint8_t tag;
	size_t n;
	unsigned long v;

	if (!ber_head(p, end, &tag, &n) || tag != 0x02 || n == 0 || n > 5)
		return false;
	v = (**p & 0x80) ? ~0ul : 0;
	for (; n > 0; n--)
		v = v << 8 | *(*p)++;
	*out = (long)v;
	return true;
}

/* msgAuthoritativeEngineID (RFC 3412 6, RFC 3414 2.4), as the library will read it: nothing in front of it is skipped by length. */
static void
look_at_engine(const uint8_t *p, const uint8_t *end, struct look *l)
{
	const uint8_t *head_end;
	uint8_t tag;
	size_t n;
	long v;

	if (!ber_head(&p, end, &tag, &n) || tag != 0x30)
		return;
	head_end = p + n;
	if (!ber_int(&p, head_end, &v) || !ber_int(&p, head_end, &v) || !ber_head(&p, head_end, &tag, &n) || tag != 0x04)
		return;
	p += n;
	if (!ber_int(&p, head_end, &v) || p != head_end || !ber_head(&p, end, &tag, &n) || tag != 0x04 ||
	    !ber_head(&p, end, &tag, &n) || tag != 0x30 || !ber_head(&p, end, &tag, &n) || tag != 0x04)
		return;
	l->engine = p;
	l->n_engine = n;
}

static bool
look_at(const uint8_t *p, size_t size, struct look *l)
{
	const uint8_t *end = p + size;
	uint8_t tag;
	size_t n;

	*l = (struct look){ 0 };
	if (!ber_head(&p, end, &tag, &n) || tag != 0x30 || !ber_int(&p, p + n, &l->version))
		return false;
	if (l->version == SNMP_VERSION_3) {
		look_at_engine(p, end, l);
		return true;
	}
	if (!ber_head(&p, end, &tag, &l->n_community) || tag != 0x04)
		return false;
	l->community = p;
	p += l->n_community;
	return ber_head(&p, end, &l->pdu, &n) && ber_int(&p, end, &l->reqid);
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
	event_del(a->timer);
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

static bool
arm(struct ask *a, long ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	return event_add(a->timer, &tv) == 0;
}

/* The library tests "strictly later" in its own time: a second look a little after, when it does not agree yet. */
static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;
	struct snmp_peer *p = a->peer;

	(void)fd, (void)what;
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

static netsnmp_pdu *
pdu_of(struct ask *a)
{
	static const int command[] = { SNMP_MSG_GET, SNMP_MSG_GETNEXT, SNMP_MSG_GETBULK };
	const struct conf_credential *cred = a->peer->cred;
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
	if (cred->version == SNMP_V3) {
		if (a->context != NULL) {
			if ((pdu->contextName = strdup(a->context)) == NULL)
				goto no_memory;
			pdu->contextNameLen = strlen(a->context);
		}
	} else {
		const char *c = a->community != NULL ? a->community : cred->community;

		if ((pdu->community = (u_char *)strdup(c)) == NULL)
			goto no_memory;
		pdu->community_len = strlen(c);
	}
	return pdu;
no_memory:
	snmp_free_pdu(pdu);
	return NULL;
}

/* One datagram. ASK_OPEN: it is on its way; else why there is none: the budget, or (ASK_UNSENT) the library or our memory. */
static enum ask_outcome
ask_send(struct ask *a)
{
	struct snmp_peer *p = a->peer;
	netsnmp_session *ss = snmp_sess_session(p->session);
	netsnmp_pdu *pdu;
	int64_t left = INT64_MAX;
	long ms;
	int id;

	assert(a->flying && !a->ready && a->n > 0 && a->n <= ASK_OIDS);
	if (p->budget != NULL) {
		left = mono_since(mono_now(), p->budget->until);
		if (left <= 0)
			return ASK_LATE;
		if (p->budget->requests >= p->budget->max_requests)
			return ASK_SPENT;
	}
	a->probing = p->cred->version == SNMP_V3 && !snmp_usm_has_engine(&p->usm);
	if (!a->probing && !snmp_usm_user(&p->usm))
		return ASK_UNSENT;
	if ((pdu = pdu_of(a)) == NULL)
		return ASK_UNSENT;
	a->outcome = ASK_OPEN;
	a->report = a->report_engine = false;
	a->errstat = a->errindex = 0;
	ms = rto_ms(a);
	ms = left < ms ? (long)left : ms;	/* a try at the end of the time allowed is a short one */
	ss->timeout = ms * 1000;
	ss->retries = 0;
	ss->flags |= SNMP_FLAGS_DONT_PROBE;	/* or it asks for the engine by itself, and waits */
	a->serial = 0;				/* a callback from inside the call is a failure that the return value tells, too */
	if (++serials == 0)
		serials = 1;
	library_enter(p);
	id = snmp_sess_async_send(p->session, pdu, answer_cb, (void *)serials);
	library_leave(p);
	if (id == 0) {
		snmp_free_pdu(pdu);
		return ASK_UNSENT;
	}
	count_request(p);
	if (!arm(a, ms + 1))
		return ASK_UNSENT;	/* with serial 0: whatever comes is not taken for an answer */
	a->serial = serials;
	a->reqid = id;
	a->sent = mono_now();
	a->given_up = mono_add(a->sent, ms);
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
			ask_go(a);
		}
}

/* ---- what follows from an answer, outside of the library */

static void
vars_free(struct ask *a)
{
	snmp_free_varbind(a->vars);
	a->vars = NULL;
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
oid_copy(struct ask_oid *out, const oid *from, size_t n)
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

bool
ask_next_varbind(struct ask_reader *r, struct varbind *out)
{
	const netsnmp_variable_list *v = r->at;

	if (v == NULL)
		return false;
	r->at = v->next_variable;
	*out = (struct varbind){ .type = v->type };
	if (!oid_copy(&r->name, v->name, v->name_length)) {
		out->type = 0xff;
		return true;
	}
	out->oid = r->name.v;
	out->oid_len = r->name.n;
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
		if (!oid_copy(&r->value, v->val.objid, v->val_len / sizeof(oid)))
			out->type = VB_NULL;
		else {
			out->value_oid = r->value.v;
			out->value_oid_len = r->value.n;
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
is_ours(const struct ask *a, const struct look *l)
{
	static const long version[] = { [SNMP_V1] = SNMP_VERSION_1, [SNMP_V2C] = SNMP_VERSION_2c, [SNMP_V3] = SNMP_VERSION_3 };
	const struct conf_credential *cred = a->peer->cred;
	const char *c = a->community != NULL ? a->community : cred->community;

	if (l->version != version[cred->version])
		return false;
	return l->version == SNMP_VERSION_3 ||
	    (l->pdu == SNMP_MSG_RESPONSE && l->n_community == strlen(c) && memcmp(l->community, c, l->n_community) == 0);
}

/* false: the library made nothing of it. */
static bool
hand_over(struct snmp_peer *p, int family, const uint8_t *datagram, size_t n, const struct look *l)
{
	bool strange = l->version == SNMP_VERSION_3 && !snmp_usm_is_engine(&p->usm, l->engine, l->n_engine), took = false;

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

static void
datagram_in(struct snmp *s, int family, const struct sockaddr_storage *ss, const uint8_t *p, size_t n)
{
	static long long last;
	struct ip_port at;
	struct look l;
	bool known = false, matched = false, read = false, used = false;

	if (!came_from(ss, &at)) {
		s->counters.strays++;
		return;
	}
	for (struct from *f = s->buckets[bucket_of(&at)]; f != NULL; f = f->next)
		known = known || (f->at.port == at.port && ip_eq(&f->at.ip, &at.ip) && f->peer->in_flight > 0);
	if (!known) {
		s->counters.strays++;
		return;
	}
	if (!look_at(p, n, &l)) {
		s->counters.malformed++;
		return;
	}
	for (struct from *f = s->buckets[bucket_of(&at)]; f != NULL; f = f->next) {
		bool wanted = false;

		if (f->at.port != at.port || !ip_eq(&f->at.ip, &at.ip))
			continue;
		for (struct ask *a = f->peer->asks; a != NULL && !wanted; a = a->next) {
			if (a->serial == 0 || a->ready || (l.version != SNMP_VERSION_3 && l.reqid != a->reqid))
				continue;
			matched = true;
			wanted = is_ours(a, &l);
		}
		if (wanted) {
			read = true;
			used = hand_over(f->peer, family, p, n, &l) || used;
		}
	}
	if (used)
		return;
	if (read && l.version != SNMP_VERSION_3)
		s->counters.malformed++;	/* its head is right and the rest is not */
	else if (matched) {
		char text[IP_TEXT];

		s->counters.mismatched++;
		if (log_limit(&last))
			log_warnx("%s: reply dropped: another version, community, user or kind than was asked for",
			    ip_port_text(&at, 161, text));
	} else
		s->counters.strays++;
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct snmp *s = arg;
	int family = fd == s->fd[0] ? 0 : 1;

	(void)what;
	for (int batch = 0; batch < BATCHES_PER_TURN; batch++) {
		struct sockaddr_storage from[BATCH];
		struct mmsghdr m[BATCH] = { 0 };
		struct iovec iov[BATCH];
		int n;

		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ s->rx + (size_t)i * DATAGRAM, DATAGRAM };
			m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iov[i], .msg_iovlen = 1 };
		}
		if ((n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL)) <= 0)
			return;
		for (int i = 0; i < n; i++)
			datagram_in(s, family, &from[i], s->rx + (size_t)i * DATAGRAM, m[i].msg_len);
		if (n < BATCH)
			return;
	}
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
	for (int i = 0; i < 2; i++)
		if (s->fd[i] >= 0 && ((s->readable[i] = event_new(base, s->fd[i], EV_READ | EV_PERSIST, readable_cb, s)) == NULL ||
		    event_add(s->readable[i], NULL) < 0))
			deaf = true;
	if (deaf || (s->fd[0] < 0 && s->fd[1] < 0) || s->rx == NULL || s->finish == NULL) {
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
	snmp_keys_free(s->keys);
	netsnmp_large_fd_set_cleanup(&s->fds);
	free(s->rx);
	free(s);
}

const struct snmp_counters *
snmp_counters(const struct snmp *s)
{
	return &s->counters;
}

static netsnmp_transport *
transport_new(const struct snmp *s, const struct ip_port *to)
{
	netsnmp_transport *t = calloc(1, sizeof *t);
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(to->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(to->port) };
	bool v6 = to->ip.family == 6;

	if (t == NULL)
		return NULL;
	memcpy(&in.sin_addr, to->ip.b, 4);
	memcpy(&in6.sin6_addr, to->ip.b, 16);
	t->domain = v6 ? netsnmp_UDPIPv6Domain : netsnmpUDPDomain;
	t->domain_length = v6 ? 9 : (int)netsnmpUDPDomain_len;
	t->sock = s->fd[v6];
	t->flags = NETSNMP_TRANSPORT_FLAG_OPENED;
	t->msgMaxSize = 65507;
	t->f_recv = t_recv;
	t->f_send = t_send;
	t->f_close = t_close;
	t->remote_length = v6 ? (int)sizeof in6 : (int)sizeof in;
	t->remote = netsnmp_memdup(v6 ? (void *)&in6 : (void *)&in, (size_t)t->remote_length);
	if (t->remote == NULL) {
		free(t);
		return NULL;
	}
	return t;
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

struct snmp_peer *
snmp_peer_new(struct snmp *s, const struct ip_port *to, const struct ip *reply_from, size_t n_reply_from,
    const struct conf_credential *cred, const char **why)
{
	netsnmp_session t;
	netsnmp_transport *transport;
	struct snmp_peer *p;
	char empty[] = "";

	*why = NULL;
	if ((to->ip.family != 4 && to->ip.family != 6) || s->fd[to->ip.family == 6] < 0) {
		*why = "no socket of this address family";
		return NULL;
	}
	if (to->ip.family == 6 && to->ip.b[0] == 0xfe && (to->ip.b[1] & 0xc0) == 0x80) {
		*why = "a link-local address names no interface: use a global one";
		return NULL;
	}
	if (cred->version == SNMP_V3 ? cred->user == NULL : cred->community == NULL) {
		*why = "no user or community";
		return NULL;
	}
	snmp_sess_init(&t);
	t.callback = unasked_cb;
	t.timeout = RTO_FIRST_MS * 1000;
	t.retries = 0;
	t.flags |= SNMP_FLAGS_DONT_PROBE;
	if (cred->version == SNMP_V3) {
		if ((*why = snmp_usm_template(&s->keys, &t, cred)) != NULL)
			return NULL;
	} else {
		t.version = cred->version == SNMP_V1 ? SNMP_VERSION_1 : SNMP_VERSION_2c;
		t.community = (u_char *)(cred->community != NULL ? cred->community : empty);
		t.community_len = strlen((char *)t.community);
	}
	if ((p = calloc(1, sizeof *p)) == NULL)
		return NULL;
	t.callback_magic = p;
	p->s = s;
	p->cred = cred;
	p->to = *to;
	p->max_in_flight = 1;
	p->tries = TRIES;
	p->habits.varbinds = 20;
	p->from = calloc(n_reply_from + 1, sizeof *p->from);
	transport = transport_new(s, to);
	if (p->from == NULL || transport == NULL || (p->session = snmp_sess_add_ex(&t, transport, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) == NULL) {
		if (p->from != NULL && transport != NULL)
			*why = "refused by the library";	/* which freed the transport */
		else
			netsnmp_transport_free(transport);
		explicit_bzero(&t, sizeof t);
		free(p->from);
		free(p);
		return NULL;
	}
	explicit_bzero(&t, sizeof t);
	if (cred->version == SNMP_V3)
		p->usm.session = snmp_sess_session(p->session);
	from_add(p, &to->ip);
	for (size_t i = 0; i < n_reply_from; i++)
		from_add(p, &reply_from[i]);
	*why = NULL;
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
	p->closing = true;		/* the library tells of open requests */
	snmp_usm_forget(&p->usm);
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
	struct ask_oid	 want[ASK_OIDS];
	bool		 told[ASK_OIDS];
	size_t		 n;
	bool		 one_by_one;
};

static bool
get_fill(struct get *g)
{
	g->ask.n = 0;
	for (size_t i = 0; i < g->n && !(g->one_by_one && g->ask.n == 1); i++)
		if (!g->told[i])
			g->ask.oids[g->ask.n++] = g->want[i];
	return g->ask.n > 0;
}

static struct ask_oid *
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
	struct ask_oid *w = get_find(g, g->ask.oids[index].v, g->ask.oids[index].n);
	struct varbind v = { .oid = g->ask.oids[index].v, .oid_len = g->ask.oids[index].n, .type = VB_NO_OBJECT };

	if (w != NULL)
		g->ask.each(g->ask.arg, &v);
}

static void
get_answered(struct ask *a)
{
	struct get *g = (struct get *)a;
	struct ask_reader r = { .at = a->vars };
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
	struct get *g = calloc(1, sizeof *g);

	assert(n > 0 && n <= ASK_OIDS);
	if (g == NULL || !ask_init(&g->ask, p)) {
		free(g);
		return false;
	}
	g->ask.answered = get_answered;
	g->ask.drop = get_drop;
	g->ask.each = each;
	g->ask.done = done;
	g->ask.arg = arg;
	g->ask.command = ASK_GET;
	for (g->n = 0; g->n < n && g->n < ASK_OIDS; g->n++) {
		struct ask_oid *w = &g->want[g->n];

		w->n = oid_lens[g->n] > OID_MAX ? OID_MAX : oid_lens[g->n];
		memcpy(w->v, oids[g->n], w->n * sizeof *w->v);
	}
	get_fill(g);
	ask_start(&g->ask);
	return true;
}
