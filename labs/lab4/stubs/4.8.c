/* SPDX-License-Identifier: MIT */
void lay_out_device(const struct bus *bus, const struct device *dev)
{
	/* TODO 4.8.  At dev->desc: a struct lguest_device_desc, then a struct lguest_vq_record for
	 * each queue (record_at), the features we offer (offered_at), room for those that are
	 * accepted, the configuration (config_at).  memory_store() copies into the Guest. */
	(void)bus;
	(void)dev;
}
