/* store/apply_setting.c - what a change of a setting does. */
#include "store/apply.h"

/*
 * As it is set already: when that was stays, or who says it every hour would
 * never see the end of a limit's three hours.
 */
static bool is_same(enum setting setting, const struct settings *before,
		    const struct settings *after)
{
	AUTO(buf) struct buf old, new;

	buf_init(&old, SETTING_VALUE_MAX);
	buf_init(&new, SETTING_VALUE_MAX);
	setting_print(setting, before, &old);
	setting_print(setting, after, &new);
	return before->set_at[setting] && str_eq(buf_str(&old), buf_str(&new));
}

enum err apply_setting_put(struct txn *txn, struct change *change)
{
	struct settings before, after;
	enum setting setting;
	enum err err = setting_find(change->text, &setting, &change->cause);

	if (!err)
		err = settings_read(txn, &before);
	if (err)
		return err;
	after = before;
	err = setting_parse(setting, change->value, &after, &change->cause);
	if (!err && !is_same(setting, &before, &after))
		setting_put(txn, setting, &after, change->now);
	return err;
}
