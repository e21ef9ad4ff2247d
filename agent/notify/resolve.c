/* agent/notify/resolve.c: glibc's getaddrinfo_a() has the threads; we look in on them by a timer. A look-up that cannot be
 * taken back keeps its memory until it ends: it is left to itself then (struct lookup, orphan). */
#include "notify/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define AGAIN_S 60
#define LOOK_MS 50

struct lookup {				/* one call of getaddrinfo_a() */
	struct gaicb	 cb, *list[1];
	struct addrinfo	 hints;
	char		*host;
	struct lookup	*next;		/* among the orphans */
};

struct resolve {
	char		*host;
	uint16_t	 port;
	struct ip_port	 address;	/* family 0: not known */
	bool		 literal, failed;
	struct lookup	*lookup;
	struct event	*timer;
	resolve_found	*found;
	void		*arg;
	int		 family;
};

static struct lookup *orphans;

static void
lookup_free(struct lookup *l)
{
	if (l->cb.ar_result != NULL)
		freeaddrinfo(l->cb.ar_result);
	free(l->host);
	free(l);
}

static void
orphans_sweep(void)
{
	for (struct lookup **p = &orphans; *p != NULL;) {
		struct lookup *l = *p;

		if (gai_error(&l->cb) == EAI_INPROGRESS) {
			p = &l->next;
			continue;
		}
		*p = l->next;
		lookup_free(l);
	}
}

static void
timer_in(struct resolve *r, long ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(r->timer, &tv);
}

static bool
lookup_start(struct resolve *r)
{
	struct lookup *l = calloc(1, sizeof *l);
	struct sigevent none = { .sigev_notify = SIGEV_NONE };

	if (l == NULL || (l->host = strdup(r->host)) == NULL) {
		free(l);
		return false;
	}
	l->hints.ai_family = r->family;
	l->hints.ai_socktype = SOCK_DGRAM;
	l->cb.ar_name = l->host;
	l->cb.ar_request = &l->hints;
	l->list[0] = &l->cb;
	if (getaddrinfo_a(GAI_NOWAIT, l->list, 1, &none) != 0) {
		lookup_free(l);
		return false;
	}
	r->lookup = l;
	return true;
}

static bool
address_of(const struct addrinfo *ai, struct ip *out)
{
	for (; ai != NULL; ai = ai->ai_next) {
		if (ai->ai_family == AF_INET)
			*out = ip_of(&((const struct sockaddr_in *)(const void *)ai->ai_addr)->sin_addr, 4);
		else if (ai->ai_family == AF_INET6)
			*out = ip_of(&((const struct sockaddr_in6 *)(const void *)ai->ai_addr)->sin6_addr, 16);
		else
			continue;
		return true;
	}
	return false;
}

/* True when one of the answers is the address in use: a name with several addresses must not make us hop. */
static bool
still_there(const struct addrinfo *ai, const struct ip *now)
{
	for (; ai != NULL; ai = ai->ai_next) {
		struct addrinfo one = *ai;
		struct ip ip;

		one.ai_next = NULL;
		if (address_of(&one, &ip) && ip_eq(&ip, now))
			return true;
	}
	return false;
}

static void
lookup_ended(struct resolve *r, int rc)
{
	struct lookup *l = r->lookup;
	struct ip ip;

	r->lookup = NULL;
	if (rc == 0 && still_there(l->cb.ar_result, &r->address.ip)) {
		r->failed = false;
	} else if (rc == 0 && address_of(l->cb.ar_result, &ip)) {
		char text[IP_TEXT];

		r->address = (struct ip_port){ ip, r->port };
		r->failed = false;
		log_info("receiver %s is %s", r->host, ip_text(&ip, text));
		r->found(r->arg, &r->address);
	} else if (!r->failed) {
		r->failed = true;
		log_warnx("receiver %s: %s%s", r->host, rc != 0 ? gai_strerror(rc) : "no address",
		    r->address.ip.family != 0 ? "; its last address stays in use" : "; nothing can be sent to it");
	}
	lookup_free(l);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;
	int rc;

	(void)fd, (void)what;
	orphans_sweep();
	if (r->literal) {
		r->found(r->arg, &r->address);
		return;
	}
	if (r->lookup == NULL) {
		timer_in(r, lookup_start(r) ? LOOK_MS : 1000);
		return;
	}
	if ((rc = gai_error(&r->lookup->cb)) == EAI_INPROGRESS) {
		timer_in(r, LOOK_MS);
		return;
	}
	lookup_ended(r, rc);
	timer_in(r, AGAIN_S * 1000);
}

struct resolve *
resolve_new(struct event_base *base, const char *host, uint16_t port, unsigned family, resolve_found *found, void *arg)
{
	struct resolve *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->port = port;
	r->family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC;
	r->found = found;
	r->arg = arg;
	if ((r->host = strdup(host)) == NULL || (r->timer = evtimer_new(base, timer_cb, r)) == NULL) {
		resolve_free(r);
		return NULL;
	}
	if (ip_parse(host, &r->address.ip) == 0) {
		r->literal = true;
		r->address.port = port;
	}
	timer_in(r, 0);
	return r;
}

void
resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	if (r->timer != NULL)
		event_free(r->timer);
	if (r->lookup != NULL && gai_cancel(&r->lookup->cb) != EAI_CANCELED && gai_error(&r->lookup->cb) == EAI_INPROGRESS) {
		r->lookup->next = orphans;
		orphans = r->lookup;
	} else if (r->lookup != NULL) {
		lookup_free(r->lookup);
	}
	free(r->host);
	free(r);
}
