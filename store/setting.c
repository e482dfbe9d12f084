/*
 * store/setting.c - table "setting": name -> text, as it was given.
 *
 *   656e666f7263655f746f6b656e5f657870697279 -> 66616c7365
 *   "enforce_token_expiry"                      "false"
 */
#include "store/setting.h"

static enum err read_bool(struct txn *txn, struct str name, bool strict,
			  bool *out)
{
	struct str value;

	*out = strict;
	if (!txn_get(txn, TABLE_SETTING, name, &value))
		return txn->err;
	if (!str_eq(value, STR("true")) && !str_eq(value, STR("false")))
		return txn->err = E_CORRUPT;
	*out = str_eq(value, STR("true"));
	return E_OK;
}

enum err settings_read(struct txn *txn, struct settings *out)
{
	return read_bool(txn, STR("enforce_token_expiry"), true,
			 &out->enforce_token_expiry);
}
