/* agent/notify/resolve.c: glibc's getaddrinfo_a() has the threads; we look in on them by a timer. A look-up that cannot be
 * taken back keeps its memory until it ends: it is left to itself then (struct lookup, orphan). */
#include "notify/resolve.h"

#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define AGAIN_MS 60000
#define FAILED_MS 5000			/* after a failure, and at least between two look-ups */
#define LOOK_MS 20

struct lookup {				/* one call of getaddrinfo_a() */
	struct gaicb	 cb, *list[1];
	struct addrinfo	 hints;
	char		*host;
	struct lookup	*next;		/* among the orphans */
};

struct resolve {
	char		*host;
	uint16_t	 port;
	int		 family;
	bool		 failed;	/* the last look-up; told once */
	size_t		 n;		/* addresses found last */
	struct lookup	*lookup;	/* NULL: none under way, the timer says when */
	struct mono	 asked;
	struct event	*timer;
	resolve_found	*found;
	void		*arg;
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

static struct ip
address_of(const struct addrinfo *ai)
{
	if (ai->ai_family == AF_INET)
		return ip_of(&((const struct sockaddr_in *)(const void *)ai->ai_addr)->sin_addr, 4);
	if (ai->ai_family == AF_INET6)
		return ip_of(&((const struct sockaddr_in6 *)(const void *)ai->ai_addr)->sin6_addr, 16);
	return (struct ip){ 0 };
}

static size_t
addresses_of(const struct addrinfo *ai, uint16_t port, struct ip_port out[RESOLVE_ADDRESSES_MAX])
{
	size_t n = 0;

	for (; ai != NULL && n < RESOLVE_ADDRESSES_MAX; ai = ai->ai_next) {
		struct ip ip = address_of(ai);
		size_t i = 0;

		while (i < n && !ip_eq(&out[i].ip, &ip))
			i++;
		if (ip.family != 0 && i == n)	/* a name may have the same address twice */
			out[n++] = (struct ip_port){ ip, port };
	}
	return n;
}

static void
lookup_ended(struct resolve *r, int rc)
{
	struct ip_port addresses[RESOLVE_ADDRESSES_MAX];
	struct lookup *l = r->lookup;
	size_t n = rc == 0 ? addresses_of(l->cb.ar_result, r->port, addresses) : 0;
	const char *why = rc != 0 ? gai_strerror(rc) : n == 0 ? "no address of the family of source_address" : "";

	r->lookup = NULL;
	lookup_free(l);
	if (n > 0) {
		if (r->failed || r->n == 0)
			log_info("receiver %s: the name has %zu address%s", r->host, n, n == 1 ? "" : "es");
		r->n = n;
	} else if (!r->failed) {
		log_warnx("receiver %s: %s%s", r->host, why, r->n > 0 ? "; its last addresses stay in use" : "; nothing can be sent to it");
	}
	r->failed = n == 0;
	r->found(r->arg, addresses, n, why);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;
	int rc;

	(void)fd, (void)what;
	orphans_sweep();
	if (r->lookup == NULL) {
		r->asked = mono_now();
		timer_in(r, lookup_start(r) ? LOOK_MS : 1000);
		return;
	}
	if ((rc = gai_error(&r->lookup->cb)) == EAI_INPROGRESS) {
		timer_in(r, LOOK_MS);
		return;
	}
	timer_in(r, rc == 0 ? AGAIN_MS : FAILED_MS);
	lookup_ended(r, rc);
}

struct resolve *
resolve_new(struct event_base *base, const char *host, uint16_t port, unsigned family, resolve_found *found, void *arg)
{
	struct resolve *r = calloc(1, sizeof *r);

	assert(port != 0 && (family == 0 || family == 4 || family == 6));
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
	timer_in(r, 0);
	return r;
}

void
resolve_again(struct resolve *r)
{
	int64_t wait = FAILED_MS - mono_since(r->asked, mono_now());

	if (r->lookup == NULL)
		timer_in(r, wait > 0 ? (long)wait : 0);
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
