/* agent/config/policyfile.c: one file of restricted makers → struct policy_set, with the same checks as the configuration. */
#include "config/load.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"

static void
check_date(struct where *w, const char *dated, const struct conf_key *keys, const struct written *o)
{
	struct wall at;

	if (dated == NULL || wall_parse(dated, &at) == 0)
		return;
	w->key = "dated";
	w->line = o->key_line[key_find(keys, "dated") - keys];
	mistake(w, "\"%s\" is not a date, such as \"2018-08-13\"", dated);
	w->key = NULL;
}

static void
read_rule(struct where w, const config_setting_t *e, struct policy_rule *r)
{
	struct written o = { 0 };

	w.line = config_setting_source_line(e);
	if (config_setting_type(e) != CONFIG_TYPE_GROUP) {
		mistake(&w, "must be a group: { … }");
		return;
	}
	set_group(&w, e, rule_keys, r, &o, 0, NULL);
	if (o.key_line[1] == 0 && o.key_line[2] == 0 && o.key_line[3] == 0)
		mistake(&w, "needs one of organisation, text and prefix");
	check_date(&w, r->dated, rule_keys, &o);
}

static void
read_set(struct loader *l, const char *file, const config_setting_t *root, struct policy_set *set)
{
	struct where w = { .l = l, .file = file, .line = 1, .what = "policy", .index = SIZE_MAX };
	const config_setting_t *rules = config_setting_get_member(root, "rules");
	struct written o = { 0 };
	int n;

	set_group(&w, root, policy_keys, set, &o, 0, "rules");
	check_date(&w, set->dated, policy_keys, &o);
	w.line = rules != NULL ? config_setting_source_line(rules) : 1;
	if (rules == NULL) {
		mistake(&w, "rules is missing");
		return;
	}
	if (config_setting_type(rules) != CONFIG_TYPE_LIST) {
		w.key = "rules";
		mistake(&w, "must be a list of groups: ( { … }, { … } )");
		return;
	}
	if ((n = config_setting_length(rules)) == 0)
		return;
	if ((set->rules = calloc((size_t)n, sizeof *set->rules)) == NULL) {
		l->oom = true;
		return;
	}
	w.what = "rule";
	if ((size_t)n > POLICY_RULES_MAX - l->policy_rules) {
		w.index = POLICY_RULES_MAX - l->policy_rules;
		w.line = config_setting_source_line(config_setting_get_elem(rules, (unsigned)w.index));
		mistake(&w, "more than %d rules in all policies", POLICY_RULES_MAX);
		n = (int)w.index;
	}
	l->policy_rules += (size_t)n;
	for (int i = 0; i < n; i++) {
		w.index = (size_t)i;
		read_rule(w, config_setting_get_elem(rules, (unsigned)i), &set->rules[set->n++]);
	}
}

void
policy_read(const struct where *from, const char *path)
{
	struct loader *l = from->l;
	struct policies *all = &l->c->policies;
	struct policy_set *grown, *set;
	struct where w = { .l = l, .line = 1 };
	config_t cf;

	assert(all->n <= POLICY_SETS_MAX && l->policy_rules <= POLICY_RULES_MAX);
	if (all->n == POLICY_SETS_MAX) {
		if (!l->policies_full)
			mistake(from, "%s: more than %d policies", path, POLICY_SETS_MAX);
		l->policies_full = true;
		return;
	}
	if ((grown = realloc(all->sets, (all->n + 1) * sizeof *grown)) == NULL) {
		l->oom = true;
		return;
	}
	all->sets = grown;
	set = &grown[all->n++];
	memset(set, 0, sizeof *set);
	w.file = load_intern(l, path);
	if (load_libconfig(l, from, path, &cf))
		read_set(l, w.file, config_root_setting(&cf), set);
	config_destroy(&cf);
	if (strlist_add(&l->policy_paths, path, strlen(path)) < 0) {
		l->oom = true;
		return;
	}
	for (size_t i = 0; i + 1 < all->n; i++) {
		if (set->name != NULL && str_eq(all->sets[i].name, set->name))
			mistake(&w, "policy \"%s\": defined twice; first at %s:1", set->name, l->policy_paths.v[i]);
	}
}
