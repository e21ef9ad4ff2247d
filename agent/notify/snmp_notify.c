/* agent/notify/snmp_notify.c: one connected UDP socket and one Net-SNMP session per receiver. The socket is ours, because
 * the library's is not connected and takes answers from anybody (engineering-notes.md section 1). */
#include "notify/snmp_notify.h"

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/large_fd_set.h>
#include <net-snmp/library/snmpUDPDomain.h>
#include <net-snmp/library/snmpUDPIPv6Domain.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "notify/v3_report.h"
#include "notify/varbinds.h"

#define PENDING_MAX 256			/* per receiver; the engine keeps 32 in flight */
#define USM_UNKNOWN_ENGINE_IDS 4	/* of usmStats */

struct snmp_notify {
	struct event_base	*base;
	snmp_notify_done	*done;
	void			*arg;
	struct mono		 started;
	uint8_t			 engine_id[32];
	size_t			 engine_id_len;
	uint32_t		 boots;
	netsnmp_large_fd_set	 fds;
	uint32_t		 serial;
	struct snmp_target	*targets;	/* in a list */
};

enum engine_state { ENGINE_KNOWN, ENGINE_UNKNOWN, ENGINE_ASKED, ENGINE_DOUBTFUL };

/* From snmp_notify_send() to `done`. The library is given the serial and not a pointer: it may call back twice for one
 * request (a Report), and late. */
struct try {
	struct try	*next;
	uint32_t	 serial;
	uint64_t	 row;
	struct mono	 begun;		/* when it was asked for */
	struct mono	 sent;
	bool		 in_flight;
	netsnmp_pdu	*pdu;		/* until it is sent */
	netsnmp_pdu	*again;		/* version 3, in flight for the first time: for another engine */
	long		 msg_id;	/* version 3 */
	bool		 resent;
	const char	*why;		/* a hint got before the end; static */
};

struct snmp_target {
	struct snmp_notify		*n;
	const struct conf_credential	*cred;
	void				*owner;
	bool				 inform;
	struct ip			 source;
	struct ip_port			 addresses[TARGET_ADDRESSES_MAX];
	size_t				 n_addresses, at;	/* 0: not known; the one in use */
	bool				 moving;	/* it does not answer: to the next one, once nothing is in flight */
	size_t				 hops;		/* addresses left at once by ICMP, since something was answered or begun */
	uint8_t				 auth_ku[USM_AUTH_KU_LEN], priv_ku[USM_PRIV_KU_LEN];
	size_t				 auth_ku_len, priv_ku_len;
	struct snmp_target		*next;	/* of snmp_notify.targets */
	struct enginetime_struct	 clock;	/* while another engine is forgotten */
	int				 fd;
	void				*session;
	struct usmUser			*user;		/* version 3; NULL until the engine is known */
	struct event			*readable, *timer, *kick;
	enum engine_state		 engine;
	uint32_t			 probe;		/* serial of the discovery; 0: none */
	struct try			*tries;
	unsigned			 n_tries;
	bool				 dying;
};

static struct { oid *name; size_t len; } const auth_protocols[] = {
	[AUTH_MD5] = { usmHMACMD5AuthProtocol, 10 }, [AUTH_SHA1] = { usmHMACSHA1AuthProtocol, 10 },
	[AUTH_SHA224] = { usmHMAC128SHA224AuthProtocol, 10 }, [AUTH_SHA256] = { usmHMAC192SHA256AuthProtocol, 10 },
	[AUTH_SHA384] = { usmHMAC256SHA384AuthProtocol, 10 }, [AUTH_SHA512] = { usmHMAC384SHA512AuthProtocol, 10 },
}, priv_protocols[] = {
	[PRIV_DES] = { usmDESPrivProtocol, 10 }, [PRIV_AES128] = { usmAESPrivProtocol, 10 },
	[PRIV_AES192] = { usmAES192PrivProtocol, 9 }, [PRIV_AES256] = { usmAES256PrivProtocol, 9 },
	[PRIV_AES192C] = { usmAES192CiscoPrivProtocol, 11 }, [PRIV_AES256C] = { usmAES256CiscoPrivProtocol, 11 },
};

static void pump(struct snmp_target *t);

static void
kick(struct snmp_target *t)
{
	if (!t->dying)
		event_active(t->kick, EV_TIMEOUT, 0);
}

static const struct ip_port *
address_of(const struct snmp_target *t)
{
	assert(t->at < t->n_addresses);
	return &t->addresses[t->at];
}

/* Takes the try out of the list and tells its end. */
static void
try_end(struct snmp_target *t, struct try *y, enum notify_result result, const char *why)
{
	assert(t->n_tries > 0 && result >= NOTIFY_ACKNOWLEDGED && result <= NOTIFY_FAILED);
	for (struct try **p = &t->tries; *p != NULL; p = &(*p)->next)
		if (*p == y) {
			*p = y->next;
			t->n_tries--;
			break;
		}
	if (y->pdu != NULL)
		snmp_free_pdu(y->pdu);
	if (y->again != NULL)
		snmp_free_pdu(y->again);
	t->n->done(t->n->arg, t->owner, y->row, result, y->in_flight ? (uint32_t)mono_since(y->sent, mono_now()) : 0, why);
	free(y);
}

static struct try *
try_find(const struct snmp_target *t, uint32_t serial)
{
	for (struct try *y = t->tries; y != NULL; y = y->next)
		if (y->serial == serial)
			return y;
	return NULL;
}

static bool
any_in_flight(const struct snmp_target *t)
{
	for (const struct try *y = t->tries; y != NULL; y = y->next)
		if (y->in_flight)
			return true;
	return false;
}

/* What a Report's counter means (RFC 3414, usmStats; RFC 3412, snmpUnknownPDUHandlers ...). */
static const char *
report_words(const netsnmp_pdu *pdu)
{
	static const oid usm_stats[] = { 1, 3, 6, 1, 6, 3, 15, 1, 1 };
	static const char *const words[] = { "a report", "unsupported security level", "not in time window", "unknown user name",
	    "unknown engine id", "wrong digest: authentication secret or protocol", "decryption error: privacy secret or protocol" };
	const netsnmp_variable_list *v = pdu->variables;

	if (v != NULL && v->name_length > nitems(usm_stats) && snmp_oid_compare(v->name, nitems(usm_stats), usm_stats, nitems(usm_stats)) == 0 &&
	    v->name[nitems(usm_stats)] < nitems(words))
		return words[v->name[nitems(usm_stats)]];
	return words[0];
}

static void
engine_change(struct snmp_target *t, enum engine_state to)
{
	t->engine = to;
	kick(t);
}

/* The answer to the discovery is a Report; the library has put the engine's id into the session when it is here. */
static int
probe_cb(int op, netsnmp_session *s, int id, netsnmp_pdu *pdu, void *magic)
{
	struct snmp_target *t = s->callback_magic;

	(void)id, (void)pdu;
	if (t->probe == 0 || (uintptr_t)magic != t->probe)
		return 1;
	if (op == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && s->securityEngineIDLen > 0) {
		t->probe = 0;
		t->hops = 0;
		engine_change(t, ENGINE_KNOWN);
	} else if (op == NETSNMP_CALLBACK_OP_TIMED_OUT) {
		t->probe = 0;
		t->moving = true;
		engine_change(t, ENGINE_UNKNOWN);
	}
	return 1;
}

#define WHY_OCTETS 160

/* `what`, or the hint got before, and from where if that is not plain from the configuration. */
static const char *
timeout_words(const struct snmp_target *t, const struct try *y, const char *what, char out[static WHY_OCTETS])
{
	char address[IP_TEXT];

	if (y->why != NULL)
		what = y->why;
	if (t->n_addresses <= 1)
		return what;
	snprintf(out, WHY_OCTETS, "%s: %s", ip_port_text(address_of(t), 162, address), what);
	return out;
}

static int
inform_cb(int op, netsnmp_session *s, int id, netsnmp_pdu *pdu, void *magic)
{
	struct snmp_target *t = s->callback_magic;
	struct try *y = try_find(t, (uint32_t)(uintptr_t)magic);
	char why[WHY_OCTETS];

	(void)id;
	if (y == NULL || !y->in_flight)
		return 1;
	switch (op) {
	case NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE:
		if (pdu->command == SNMP_MSG_REPORT) {
			if (t->cred->version == SNMP_V3)
				t->engine = ENGINE_DOUBTFUL;
			try_end(t, y, NOTIFY_REFUSED, report_words(pdu));
		} else if (pdu->command != SNMP_MSG_RESPONSE) {
			return 1;		/* not an answer; the timer ends it */
		} else {
			if (t->engine == ENGINE_DOUBTFUL)
				t->engine = ENGINE_KNOWN;
			t->moving = false;
			t->hops = 0;
			if (pdu->errstat != SNMP_ERR_NOERROR) {
				snprintf(why, sizeof why, "error-status %ld (%s)", pdu->errstat, snmp_errstring((int)pdu->errstat));
				try_end(t, y, NOTIFY_REFUSED, why);
			} else {
				try_end(t, y, NOTIFY_ACKNOWLEDGED, "");
			}
		}
		break;
	case NETSNMP_CALLBACK_OP_TIMED_OUT:
		if (t->cred->version == SNMP_V3)
			t->engine = ENGINE_DOUBTFUL;	/* it may be another engine now: its answers cannot be read */
		t->moving = true;
		try_end(t, y, NOTIFY_TIMED_OUT, timeout_words(t, y, "no response", why));
		break;
	case NETSNMP_CALLBACK_OP_SEC_ERROR:
		y->why = "a reply failed its security check";
		return 1;
	default:
		return 1;
	}
	kick(t);
	return 1;
}

static int
transport_recv(netsnmp_transport *tr, void *buf, int size, void **opaque, int *olength)
{
	*opaque = NULL;
	*olength = 0;
	return (int)recv(tr->sock, buf, (size_t)size, MSG_DONTWAIT);
}

/* A refusal (ICMP) of the datagram before is told by the next call: once more, then. */
static int
transport_send(netsnmp_transport *tr, const void *buf, int size, void **opaque, int *olength)
{
	ssize_t n = -1;

	(void)opaque, (void)olength;
	for (int i = 0; i < 3 && n < 0; i++)
		if ((n = send(tr->sock, buf, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL)) < 0 && errno != ECONNREFUSED && errno != EINTR)
			break;
	return (int)n;
}

static int
transport_close(netsnmp_transport *tr)
{
	tr->sock = -1;			/* the target closes it */
	return 0;
}

static socklen_t
sockaddr_of(const struct ip *ip, uint16_t port, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof *ss);
	if (ip->family == 6) {
		struct sockaddr_in6 *sa = (struct sockaddr_in6 *)ss;

		sa->sin6_family = AF_INET6;
		sa->sin6_port = htons(port);
		memcpy(&sa->sin6_addr, ip->b, 16);
		return sizeof *sa;
	}
	struct sockaddr_in *sa = (struct sockaddr_in *)ss;

	sa->sin_family = AF_INET;
	sa->sin_port = htons(port);
	memcpy(&sa->sin_addr, ip->b, 4);
	return sizeof *sa;
}

/* The library has one list of users, by engine and name: two receivers with the same user and different secrets would share the
 * keys of the first. So the user of a target is in that list only while the library works for it. */
static void
user_lend(struct snmp_target *t)
{
	if (t->user != NULL)
		usm_add_user(t->user);
}

static void
user_take(struct snmp_target *t)
{
	if (t->user == NULL)
		return;
	usm_remove_user(t->user);
	t->user->next = t->user->prev = NULL;
	assert(usm_get_userList() == NULL);	/* no target runs within another's work */
}

/* The library's user of our session, made by it or now. */
static bool
user_of_session(struct snmp_target *t)
{
	netsnmp_session *s = snmp_sess_session(t->session);

	if (t->user != NULL || t->cred->version != SNMP_V3)
		return true;
	if (!(s->flags & SNMP_FLAGS_USER_CREATED) && usm_create_user_from_session(s) != SNMPERR_SUCCESS)
		return false;
	t->user = usm_get_user(s->securityEngineID, s->securityEngineIDLen, s->securityName);
	user_take(t);
	return t->user != NULL;
}

static void
session_close(struct snmp_target *t)
{
	if (t->readable != NULL)
		event_free(t->readable);
	t->readable = NULL;
	t->probe = 0;
	if (t->session != NULL)
		snmp_sess_close(t->session);	/* ends what is in flight as timed out */
	t->session = NULL;
	usm_free_user(t->user);		/* with its keys; NULL is fine */
	t->user = NULL;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/* Nobody listens there, says a router or the host (ICMP; anybody could). That is only a hint and the time-out decides, but where
 * there are addresses not tried yet, the next one is tried at once. */
static void
refused_by_icmp(struct snmp_target *t)
{
	for (struct try *y = t->tries; y != NULL; y = y->next)
		y->why = "nobody listens there";
	if (t->hops + 1 < t->n_addresses) {
		session_close(t);
		t->hops++;
		t->moving = true;
		kick(t);
	}
}

/* Boots and time that traps are stamped with. The time is the machine's, so that it does not run back for the receivers when
 * only this process starts again and boots stay (RFC 3414, 3.2, 7b). */
static void
own_time(const struct snmp_notify *n)
{
	struct timespec up = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &up);
	set_enginetime((u_char *)(uintptr_t)n->engine_id, (u_int)n->engine_id_len, n->boots & INT32_MAX, (u_int)up.tv_sec & INT32_MAX, TRUE);
}

/* The library's clock of the engine that a target speaks to; NULL: it has none. */
static struct enginetime_struct *
clock_of(const struct snmp_target *t)
{
	netsnmp_session *s = t->session != NULL && t->inform ? snmp_sess_session(t->session) : NULL;

	return s != NULL && s->securityEngineIDLen > 0 ? search_enginetime_list(s->securityEngineID, (u_int)s->securityEngineIDLen) : NULL;
}

/* As it was before. */
static void
clock_restore(struct snmp_target *t)
{
	netsnmp_session *s = snmp_sess_session(t->session);
	struct enginetime_struct *e;

	set_enginetime(s->securityEngineID, (u_int)s->securityEngineIDLen, t->clock.engineBoot, t->clock.engineTime, (u_int)t->clock.authenticatedFlag);
	if ((e = clock_of(t)) != NULL)
		e->lastReceivedEngineTime = t->clock.lastReceivedEngineTime;
}

/* A doubtful engine is asked anew with a new session. free_enginetime() takes all engines with the same hash (of 23): ours, and traps
 * would go out with boots and time 0; or another receiver's, and its next inform would be sent in vain, and what it once
 * authenticated believed again. These get theirs back. */
static void
engine_forget(struct snmp_target *t)
{
	const struct enginetime_struct *gone = clock_of(t), *e;
	netsnmp_session *s = snmp_sess_session(t->session);

	for (struct snmp_target *x = t->n->targets; x != NULL; x = x->next)
		x->clock = (e = clock_of(x)) != NULL && e != gone ? *e : (struct enginetime_struct){ .engineID = NULL };
	if (s->securityEngineIDLen > 0)
		free_enginetime(s->securityEngineID, s->securityEngineIDLen);
	for (struct snmp_target *x = t->n->targets; x != NULL; x = x->next)
		if (x->clock.engineID != NULL && clock_of(x) == NULL)	/* where that points to was freed */
			clock_restore(x);
	own_time(t->n);
	session_close(t);
}

/* The receiver says that it is another engine by now: it was installed anew. The library cannot read that and would wait for its
 * time-out. Anybody can forge it who sees what we send (msgID); so each try believes it once. */
static bool
is_of_another_engine(const struct snmp_target *t, const uint8_t *datagram, size_t n)
{
	const netsnmp_session *s = snmp_sess_session(t->session);
	struct v3_report r;

	if (t->cred->version != SNMP_V3 || !t->inform || !v3_report_parse(datagram, n, &r) || r.counter != USM_UNKNOWN_ENGINE_IDS ||
	    (r.engine_id_len == s->securityEngineIDLen && memcmp(r.engine_id, s->securityEngineID, r.engine_id_len) == 0))
		return false;
	for (const struct try *y = t->tries; y != NULL; y = y->next)
		if (y->in_flight && y->again != NULL && y->msg_id == r.msg_id)
			return true;
	return false;
}

/* All that was sent to the engine that is gone is sent once more, to the one that is found now. */
static void
engine_change_at_once(struct snmp_target *t)
{
	for (struct try *y = t->tries, *next; y != NULL; y = next) {
		next = y->next;
		if (!y->in_flight)
			continue;
		if (y->again == NULL) {
			try_end(t, y, NOTIFY_REFUSED, "unknown engine id");	/* sent twice already */
			continue;
		}
		y->pdu = y->again;
		y->again = NULL;
		y->in_flight = false;
		y->resent = true;
	}
	engine_forget(t);
	kick(t);
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct snmp_target *t = arg;
	uint8_t datagram[512];		/* a Report fits; what is longer is none */
	ssize_t n;

	(void)what;
	if ((n = recv(fd, datagram, sizeof datagram, MSG_PEEK | MSG_DONTWAIT)) < 0) {
		if (errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH)
			refused_by_icmp(t);
		return;			/* the error is read now, or there is nothing */
	}
	if (is_of_another_engine(t, datagram, (size_t)n)) {
		engine_change_at_once(t);	/* and the datagram goes with the socket */
		return;
	}
	NETSNMP_LARGE_FD_ZERO(&t->n->fds);
	netsnmp_large_fd_setfd(fd, &t->n->fds);
	user_lend(t);
	snmp_sess_read2(t->session, &t->n->fds);
	user_take(t);
}

/* NULL, or why not: static. */
static const char *
socket_open(struct snmp_target *t)
{
	const struct ip_port *to = address_of(t);
	struct sockaddr_storage ss;
	socklen_t len;
	int family = to->ip.family == 6 ? AF_INET6 : AF_INET;

	if ((t->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return "no socket";
	if (t->source.family != 0) {
		if (t->source.family != to->ip.family)
			return "source_address is of another family than the receiver's address";
		len = sockaddr_of(&t->source, 0, &ss);
		if (bind(t->fd, (struct sockaddr *)&ss, len) < 0)
			return "source_address is not an address of this machine";
	}
	len = sockaddr_of(&to->ip, to->port, &ss);
	if (connect(t->fd, (struct sockaddr *)&ss, len) < 0)
		return "no route to the receiver";
	return NULL;
}

static netsnmp_transport *
transport_new(const struct snmp_target *t)
{
	netsnmp_transport *tr = calloc(1, sizeof *tr);
	const struct ip_port *to = address_of(t);
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(&to->ip, to->port, &ss);

	if (tr == NULL)
		return NULL;
	tr->domain = to->ip.family == 6 ? netsnmp_UDPIPv6Domain : netsnmpUDPDomain;
	tr->domain_length = to->ip.family == 6 ? 9 : (int)netsnmpUDPDomain_len;
	tr->sock = t->fd;
	tr->flags = NETSNMP_TRANSPORT_FLAG_OPENED;
	tr->msgMaxSize = 65507;
	tr->f_recv = transport_recv;
	tr->f_send = transport_send;
	tr->f_close = transport_close;
	tr->remote = netsnmp_memdup(&ss, len);
	tr->remote_length = (int)len;
	return tr;
}

static void
credential_into(const struct snmp_target *t, netsnmp_session *s)
{
	const struct conf_credential *c = t->cred;

	if (c->version != SNMP_V3) {
		s->version = c->version == SNMP_V1 ? SNMP_VERSION_1 : SNMP_VERSION_2c;
		s->community = (u_char *)c->community;
		s->community_len = strlen(c->community);
		return;
	}
	s->version = SNMP_VERSION_3;
	s->securityModel = SNMP_SEC_MODEL_USM;
	s->securityName = c->user;
	s->securityNameLen = strlen(c->user);
	s->securityLevel = c->auth == AUTH_NONE ? SNMP_SEC_LEVEL_NOAUTH : c->priv == PRIV_NONE ? SNMP_SEC_LEVEL_AUTHNOPRIV : SNMP_SEC_LEVEL_AUTHPRIV;
	if (c->auth != AUTH_NONE) {
		s->securityAuthProto = auth_protocols[c->auth].name;
		s->securityAuthProtoLen = auth_protocols[c->auth].len;
		memcpy(s->securityAuthKey, t->auth_ku, s->securityAuthKeyLen = t->auth_ku_len);
	}
	if (c->priv != PRIV_NONE) {
		s->securityPrivProto = priv_protocols[c->priv].name;
		s->securityPrivProtoLen = priv_protocols[c->priv].len;
		memcpy(s->securityPrivKey, t->priv_ku, s->securityPrivKeyLen = t->priv_ku_len);
	}
	if (!t->inform) {		/* a trap is authenticated with the sender's engine (RFC 3414, 3.1) */
		s->securityEngineID = s->contextEngineID = t->n->engine_id;
		s->securityEngineIDLen = s->contextEngineIDLen = t->n->engine_id_len;
	}
}

static const char *
session_open_one(struct snmp_target *t)
{
	netsnmp_session s, *live;
	netsnmp_transport *tr;
	const char *why;

	if ((why = socket_open(t)) != NULL)
		goto bad;
	why = "out of memory";
	if ((tr = transport_new(t)) == NULL)
		goto bad;
	snmp_sess_init(&s);
	credential_into(t, &s);
	s.flags |= SNMP_FLAGS_DONT_PROBE;	/* its own discovery blocks */
	s.timeout = INFORM_TIMEOUT_MS * 1000L;
	s.retries = 0;
	s.callback = inform_cb;
	s.callback_magic = t;
	t->session = snmp_sess_add_ex(&s, tr, NULL, NULL, NULL, NULL, NULL, NULL, NULL);	/* frees `tr` on failure */
	memset(s.securityAuthKey, 0, sizeof s.securityAuthKey);
	memset(s.securityPrivKey, 0, sizeof s.securityPrivKey);
	if (t->session == NULL) {
		why = "Net-SNMP does not take the credential";
		goto bad;
	}
	live = snmp_sess_session(t->session);
	live->flags |= SNMP_FLAGS_DONT_PROBE;	/* cleared by the library */
	why = "Net-SNMP does not take the user";
	if (live->securityEngineIDLen > 0 && !user_of_session(t))
		goto bad;
	why = "out of memory";
	t->readable = event_new(t->n->base, t->fd, EV_READ | EV_PERSIST, readable_cb, t);
	if (t->readable == NULL || event_add(t->readable, NULL) < 0)
		goto bad;
	t->engine = t->cred->version == SNMP_V3 && t->inform ? ENGINE_UNKNOWN : ENGINE_KNOWN;
	return NULL;
bad:
	session_close(t);
	return why;
}

/* To the address in use, or the first after it that can be used at all. */
static const char *
session_open(struct snmp_target *t)
{
	const char *why = NULL;

	assert(t->session == NULL && t->fd < 0);
	for (size_t i = 0; i < t->n_addresses; i++) {
		if ((why = session_open_one(t)) == NULL)
			return NULL;
		t->at = (t->at + 1) % t->n_addresses;
	}
	return why;
}

static void
timer_in(struct snmp_target *t, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(t->timer, &tv);
}

/* Asks a receiver for its engine id: an empty GET without a user (RFC 3414, 4). */
static bool
probe_send(struct snmp_target *t)
{
	netsnmp_pdu *p = snmp_pdu_create(SNMP_MSG_GET);

	if (p == NULL)
		return false;
	p->version = SNMP_VERSION_3;
	p->securityModel = SNMP_SEC_MODEL_USM;
	p->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	p->securityName = strdup("");
	p->securityNameLen = 0;
	if (++t->n->serial == 0)
		++t->n->serial;
	t->probe = t->n->serial;
	if (!snmp_sess_async_send(t->session, p, probe_cb, (void *)(uintptr_t)t->probe)) {
		snmp_free_pdu(p);
		t->probe = 0;
		return false;
	}
	t->engine = ENGINE_ASKED;
	timer_in(t, INFORM_TIMEOUT_MS + 5);
	return true;
}

/* A version 1 trap says who sends it; 0.0.0.0 over IPv6 (RFC 3584, 3.1). */
static void
agent_address(const struct snmp_target *t, netsnmp_pdu *pdu)
{
	struct sockaddr_in sa = { 0 };
	socklen_t len = sizeof sa;

	if (address_of(t)->ip.family == 4 && getsockname(t->fd, (struct sockaddr *)&sa, &len) == 0)
		memcpy(pdu->agent_addr, &sa.sin_addr, sizeof pdu->agent_addr);
}

static void
try_send(struct snmp_target *t, struct try *y)
{
	netsnmp_session *s = snmp_sess_session(t->session);
	netsnmp_pdu *pdu = y->pdu;
	bool sent;

	assert(!y->in_flight && pdu != NULL);
	if (!user_of_session(t)) {
		try_end(t, y, NOTIFY_FAILED, "Net-SNMP does not take the user");
		return;
	}
	y->sent = mono_now();
	if (pdu->command == SNMP_MSG_TRAP)
		agent_address(t, pdu);
	if (t->inform && t->cred->version == SNMP_V3 && !y->resent)
		y->again = snmp_clone_pdu(pdu);	/* NULL: it cannot be sent twice, no more */
	user_lend(t);
	sent = t->inform ? snmp_sess_async_send(t->session, pdu, inform_cb, (void *)(uintptr_t)y->serial) : snmp_sess_send(t->session, pdu);
	user_take(t);
	if (!sent) {
		try_end(t, y, NOTIFY_FAILED, snmp_api_errstring(s->s_snmp_errno));
		return;
	}
	y->pdu = NULL;			/* the library's now */
	if (!t->inform) {
		try_end(t, y, NOTIFY_SENT, "");
		return;
	}
	y->in_flight = true;
	y->msg_id = pdu->msgid;		/* the library keeps it until the answer */
	if (!event_pending(t->timer, EV_TIMEOUT, NULL))
		timer_in(t, INFORM_TIMEOUT_MS + 5);
}

/* Ends what has not been sent. */
static void
waiting_end(struct snmp_target *t, enum notify_result result, const char *why)
{
	for (struct try *y = t->tries, *next; y != NULL; y = next) {
		next = y->next;
		if (!y->in_flight)
			try_end(t, y, result, why);
	}
}

/* Sends what can be sent. Only from the loop, never from a callback of the library: it may close the session. */
static void
pump(struct snmp_target *t)
{
	const char *why;

	if (t->engine == ENGINE_DOUBTFUL && t->session != NULL) {
		if (any_in_flight(t))
			return;			/* their answers are still good */
		engine_forget(t);
	}
	if (t->moving && t->n_addresses > 1) {
		if (any_in_flight(t))
			return;
		session_close(t);
		t->at = (t->at + 1) % t->n_addresses;
		for (struct try *y = t->tries; y != NULL; y = y->next)
			y->why = NULL;
	}
	t->moving = false;
	if (t->tries == NULL || t->n_addresses == 0)
		return;			/* without an address: snmp_target_addresses() or the timer goes on */
	if (t->session == NULL && (why = session_open(t)) != NULL) {
		waiting_end(t, NOTIFY_FAILED, why);
		return;
	}
	if (t->engine == ENGINE_UNKNOWN && !probe_send(t))
		waiting_end(t, NOTIFY_FAILED, "the engine discovery could not be sent");
	if (t->engine != ENGINE_KNOWN)
		return;
	for (struct try *y = t->tries, *next; y != NULL; y = next) {
		next = y->next;
		if (!y->in_flight)
			try_send(t, y);
	}
}

static void
kick_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	pump(arg);
}

static void
library_timeout(struct snmp_target *t)
{
	user_lend(t);
	snmp_sess_timeout(t->session);
	user_take(t);
}

static void
waited_in_vain(struct snmp_target *t, struct try *y)
{
	char why[WHY_OCTETS];

	if (t->n_addresses == 0)
		try_end(t, y, NOTIFY_FAILED, "the look-up of its name takes too long");
	else
		try_end(t, y, NOTIFY_TIMED_OUT, timeout_words(t, y, "no answer to the engine discovery", why));
}

/* The library ends what is over its time; what waited as long for an engine id ends here. */
static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct snmp_target *t = arg;
	struct mono now = mono_now();
	int64_t next_ms = INFORM_TIMEOUT_MS + 5;

	(void)fd, (void)what;
	if (t->session != NULL)
		library_timeout(t);
	for (struct try *y = t->tries, *next; y != NULL; y = next) {
		int64_t age = mono_since(y->in_flight ? y->sent : y->begun, now);

		next = y->next;
		if (!y->in_flight && age >= INFORM_TIMEOUT_MS)
			waited_in_vain(t, y);
		else if (INFORM_TIMEOUT_MS + 5 - age < next_ms)
			next_ms = INFORM_TIMEOUT_MS + 5 - age;
	}
	if (t->tries != NULL || t->probe != 0)
		timer_in(t, next_ms < 10 ? 10 : t->probe != 0 && next_ms > 500 ? 500 : next_ms);
	pump(t);
}

static int
quiet_log(int major, int minor, void *server, void *client)
{
	(void)major, (void)minor, (void)client;
	log_debug("net-snmp: %.200s", ((struct snmp_log_message *)server)->msg);
	return 0;
}

struct snmp_notify *
snmp_notify_new(struct event_base *base, const uint8_t *engine_id, size_t len, uint32_t boots, snmp_notify_done *done, void *arg)
{
	struct snmp_notify *n;

	if (len < 5 || len > sizeof n->engine_id || (n = calloc(1, sizeof *n)) == NULL)
		return NULL;
	n->base = base;
	n->done = done;
	n->arg = arg;
	n->started = mono_now();
	memcpy(n->engine_id, engine_id, n->engine_id_len = len);
	setenv("MIBS", "", 1);
	setenv("MIBDIRS", "", 1);	/* empty, not unset: the default is folders */
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, quiet_log, NULL);
	snmp_enable_calllog();
	init_snmp("camtrapd-notify");
	set_exact_engineID(n->engine_id, len);
	n->boots = boots;
	own_time(n);
	netsnmp_large_fd_set_init(&n->fds, FD_SETSIZE);
	return n;
}

int
snmp_notify_identity(struct snmp_notify *n, const uint8_t *engine_id, size_t len, uint32_t boots)
{
	if (len != n->engine_id_len || memcmp(engine_id, n->engine_id, len) != 0)
		return -EINVAL;
	n->boots = boots;
	own_time(n);
	return 0;
}

/* A secret's key, before it is bound to an engine. */
static bool
key_of(enum snmp_auth auth, const char *secret, uint8_t *ku, size_t *len)
{
	return secret != NULL && strlen(secret) >= USM_LENGTH_P_MIN && generate_Ku(auth_protocols[auth].name,
	    (u_int)auth_protocols[auth].len, (const u_char *)secret, strlen(secret), ku, len) == SNMPERR_SUCCESS;
}

struct snmp_target *
snmp_target_new(struct snmp_notify *n, const struct conf_credential *cred, bool inform, struct ip source, void *owner, const char **why)
{
	struct snmp_target *t;

	if (cred->version == SNMP_V3 ? cred->user == NULL : cred->community == NULL) {
		*why = "the credential has no community or user";
		return NULL;
	}
	*why = "out of memory";
	if ((t = calloc(1, sizeof *t)) == NULL)
		return NULL;
	t->n = n;
	t->cred = cred;
	t->inform = inform && cred->version != SNMP_V1;
	t->owner = owner;
	t->source = source;
	t->fd = -1;
	t->auth_ku_len = sizeof t->auth_ku;
	t->priv_ku_len = sizeof t->priv_ku;
	if ((t->timer = evtimer_new(n->base, timer_cb, t)) == NULL || (t->kick = evtimer_new(n->base, kick_cb, t)) == NULL)
		goto bad;
	if (cred->version == SNMP_V3) {
		*why = "the secrets are missing or shorter than 8 octets, or Net-SNMP lacks the protocol";
		if (cred->auth != AUTH_NONE && !key_of(cred->auth, cred->auth_secret, t->auth_ku, &t->auth_ku_len))
			goto bad;
		if (cred->priv != PRIV_NONE && (cred->auth == AUTH_NONE || !key_of(cred->auth, cred->priv_secret, t->priv_ku, &t->priv_ku_len)))
			goto bad;
	}
	t->next = n->targets;
	n->targets = t;
	return t;
bad:
	snmp_target_free(t);
	return NULL;
}

void
snmp_target_keep(struct snmp_target *t, const struct conf_credential *cred)
{
	assert(cred->version == t->cred->version && str_eq(cred->user, t->cred->user) && str_eq(cred->community, t->cred->community));
	t->cred = cred;
}

void
snmp_target_addresses(struct snmp_target *t, const struct ip_port *addresses, size_t n)
{
	struct ip_port now = t->n_addresses > 0 ? *address_of(t) : (struct ip_port){ 0 };
	size_t at = 0;

	assert(n > 0 && n <= TARGET_ADDRESSES_MAX);
	while (at < n && (!ip_eq(&addresses[at].ip, &now.ip) || addresses[at].port != now.port))
		at++;
	if (at == n) {
		session_close(t);	/* while its address is still known: what is in flight is told */
		at = 0;
	}
	memcpy(t->addresses, addresses, n * sizeof *addresses);
	t->n_addresses = n;
	t->at = at;
	t->moving = false;
	kick(t);
}

void
snmp_target_unresolved(struct snmp_target *t, const char *why)
{
	if (t->n_addresses == 0)
		waiting_end(t, NOTIFY_FAILED, why);
}

static netsnmp_pdu *
pdu_new(const struct snmp_target *t, const struct varbinds *vs)
{
	netsnmp_pdu *pdu = snmp_pdu_create(t->cred->version == SNMP_V1 ? SNMP_MSG_TRAP : t->inform ? SNMP_MSG_INFORM : SNMP_MSG_TRAP2);
	const struct mib_oid *id = &vs->v[1].oid;

	if (pdu == NULL || t->cred->version != SNMP_V1)
		return pdu;
	/* Version 1 has the first two varbinds in its header (RFC 3584, 3.2): enterprise.0.specific. */
	assert(id->n > 2 && id->arc[id->n - 2] == 0);
	if ((pdu->enterprise = calloc(id->n, sizeof *pdu->enterprise)) == NULL) {
		snmp_free_pdu(pdu);
		return NULL;
	}
	pdu->enterprise_length = id->n - 2u;
	for (size_t k = 0; k < pdu->enterprise_length; k++)
		pdu->enterprise[k] = id->arc[k];
	pdu->trap_type = SNMP_TRAP_ENTERPRISESPECIFIC;
	pdu->specific_type = (long)id->arc[id->n - 1];
	pdu->time = vs->v[0].number;
	return pdu;
}

static netsnmp_pdu *
pdu_of(const struct snmp_target *t, const struct varbinds *vs)
{
	netsnmp_pdu *pdu = pdu_new(t, vs);

	for (size_t i = t->cred->version == SNMP_V1 ? 2 : 0; pdu != NULL && i < vs->n; i++) {
		const struct varbind *v = &vs->v[i];
		oid name[VARBIND_ARCS_MAX], value[VARBIND_ARCS_MAX];
		long number = (long)v->number;
		const void *p = v->type == VB_OCTETS ? (const void *)v->octets : v->type == VB_OID ? (const void *)value : (const void *)&number;
		size_t len = v->type == VB_OCTETS ? v->len : v->type == VB_OID ? v->oid.n * sizeof(oid) : sizeof number;

		for (unsigned k = 0; k < v->name.n; k++)
			name[k] = v->name.arc[k];
		for (unsigned k = 0; k < v->oid.n; k++)
			value[k] = v->oid.arc[k];
		if (snmp_pdu_add_variable(pdu, name, v->name.n, (u_char)v->type, p, len) == NULL) {
			snmp_free_pdu(pdu);
			pdu = NULL;
		}
	}
	return pdu;
}

void
snmp_notify_send(struct snmp_target *t, uint64_t row, const char *mib_root, const char *agent, const struct event *e)
{
	struct snmp_notify *n = t->n;
	uint32_t uptime_cs = (uint32_t)(mono_since(n->started, mono_now()) / 10);
	size_t room = NOTIFICATION_MAX - (t->cred->version == SNMP_V3 ? OVERHEAD_V3 : OVERHEAD_COMMUNITY + strlen(t->cred->community));
	struct mib_oid root;
	struct varbinds vs;
	struct try *y;

	assert(!t->dying);
	if (mib_root_parse(mib_root, &root) < 0 || varbinds_of(e, agent, &root, uptime_cs, room, &vs) < 0) {
		n->done(n->arg, t->owner, row, NOTIFY_FAILED, 0, "not a notification of CAMTRAPD-MIB");
		return;
	}
	if (t->n_tries >= PENDING_MAX || (y = calloc(1, sizeof *y)) == NULL) {
		n->done(n->arg, t->owner, row, NOTIFY_FAILED, 0, "too many notifications wait for this receiver");
		return;
	}
	if ((y->pdu = pdu_of(t, &vs)) == NULL) {
		free(y);
		n->done(n->arg, t->owner, row, NOTIFY_FAILED, 0, "out of memory");
		return;
	}
	if (++n->serial == 0)
		++n->serial;
	y->serial = n->serial;
	y->row = row;
	y->begun = mono_now();
	if (t->tries == NULL)
		t->hops = 0;
	for (struct try **p = &t->tries;; p = &(*p)->next)
		if (*p == NULL) {
			*p = y;
			break;
		}
	t->n_tries++;
	if (!event_pending(t->timer, EV_TIMEOUT, NULL))
		timer_in(t, INFORM_TIMEOUT_MS + 5);
	kick(t);
}

void
snmp_target_free(struct snmp_target *t)
{
	if (t == NULL)
		return;
	t->dying = true;
	while (t->tries != NULL)
		try_end(t, t->tries, NOTIFY_FAILED, "the receiver's configuration changed");
	session_close(t);
	for (struct snmp_target **p = &t->n->targets; *p != NULL; p = &(*p)->next)
		if (*p == t) {
			*p = t->next;
			break;
		}
	if (t->timer != NULL)
		event_free(t->timer);
	if (t->kick != NULL)
		event_free(t->kick);
	explicit_bzero(t, sizeof *t);
	free(t);
}

void
snmp_notify_free(struct snmp_notify *n)
{
	if (n == NULL)
		return;
	assert(usm_get_userList() == NULL);
	netsnmp_large_fd_set_cleanup(&n->fds);
	snmp_shutdown("camtrapd-notify");
	explicit_bzero(n, sizeof *n);
	free(n);
}
