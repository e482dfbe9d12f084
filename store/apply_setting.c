/* store/apply_setting.c - what a change of a setting does. */
#include "store/apply.h"

enum err apply_setting_put(struct txn *txn, struct change *change)
{
	struct settings settings;
	enum setting setting;
	enum err err = setting_find(change->text, &setting, &change->cause);

	if (!err)
		err = settings_read(txn, &settings);
	if (!err)
		err = setting_parse(setting, change->value, &settings,
				    &change->cause);
	if (!err)
		setting_put(txn, setting, &settings, change->now);
	return err;
}
