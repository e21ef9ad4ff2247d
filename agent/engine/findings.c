/* agent/engine/findings.c: the findings of this run: by MAC, and in a list per switch. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "engine/core.h"

#define FINDINGS_PER_PORT 512
#define FINDINGS_MAX NET_RESERVE

struct finding *
finding_of(const struct engine *e, struct mac mac)
{
	return map_get(&e->by_mac, mac_u64(mac));
}

static struct finding **
list_of(struct engine *e, struct sw *at)
{
	return at != NULL ? &at->findings : &e->nowhere;
}

static void
unlink_from(struct finding **p, struct finding *f)
{
	for (; *p != f; p = &(*p)->next_at)
		assert(*p != NULL);
	*p = f->next_at;
}

static void
link_to(struct engine *e, struct finding *f, struct sw *at)
{
	struct finding **p = list_of(e, at);

	f->at = at;
	f->next_at = *p;
	*p = f;
}

void
finding_leave(struct engine *e, struct finding *f)
{
	unlink_from(list_of(e, f->at), f);
	link_to(e, f, NULL);
}

static struct sw *
switch_of(const struct engine *e, const struct detection *d)
{
	return d->location.place.switch_name[0] != '\0' ? net_switch_named(&e->net, d->location.place.switch_name) : NULL;
}

void
finding_take(struct engine *e, struct finding *f, const struct detection *d)
{
	struct sw *at = switch_of(e, d);

	if (&f->d != d)
		f->d = *d;
	if (at == f->at)
		return;
	unlink_from(list_of(e, f->at), f);
	link_to(e, f, at);
}

/* One port must not fill the memory with addresses that it makes up. */
static bool
is_room(struct engine *e, const struct detection *d)
{
	const struct sw *at = switch_of(e, d);
	size_t on_port = 0;

	for (const struct finding *f = at != NULL ? at->findings : NULL; f != NULL; f = f->next_at)
		on_port += f->d.location.place.if_index == d->location.place.if_index;
	if (on_port < FINDINGS_PER_PORT && e->n_findings < FINDINGS_MAX)
		return true;
	e->counters[CNT_FINDINGS_REFUSED]++;
	return false;
}

struct finding *
finding_add(struct engine *e, const struct detection *d)
{
	struct finding *f;

	assert(finding_of(e, d->mac) == NULL);
	if (d->id == 0 && !is_room(e, d))
		return NULL;
	if (array_grow((void **)&e->findings, e->n_findings, &e->cap_findings, sizeof(struct finding *)) < 0 ||
	    (f = calloc(1, sizeof *f)) == NULL)
		return NULL;
	if (map_put(&e->by_mac, mac_u64(d->mac), f) < 0) {
		free(f);
		return NULL;
	}
	f->made = ++e->order;
	f->d = *d;
	link_to(e, f, switch_of(e, d));
	e->findings[e->n_findings++] = f;
	return f;
}

void
findings_remove(struct engine *e, bool (*over)(const struct finding *f, const void *arg), const void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->n_findings; i++) {
		struct finding *f = e->findings[i];

		if (!over(f, arg)) {
			e->findings[kept++] = f;
			continue;
		}
		unlink_from(list_of(e, f->at), f);
		map_del(&e->by_mac, mac_u64(f->d.mac));
		free(f);
	}
	e->n_findings = kept;
}

bool
is_placed(const struct location *l)
{
	return l->verdict == VERDICT_ACCESS || l->verdict == VERDICT_SHARED;
}

bool
is_quiet(const struct engine *e, const struct detection *d)
{
	const struct conf_site *site = d->site[0] != '\0' ? conf_site(e->conf, d->site) : NULL;

	/* Without a switch there is no summary that would count it. */
	return (d->origin == ORIGIN_EXISTING || d->origin == ORIGIN_POLICY) && d->location.place.switch_name[0] != '\0' &&
	    (site == NULL || !site->page_existing);
}
