# SPDX-License-Identifier: MIT
# What the Makefiles of host/ and teachos/ share; read in behind their own rules.  From them:
# OUT, ALL_CFLAGS, and TESTS, each of which is a program test_NAME.

$(OUT)/%.o: %.c Makefile | $(OUT)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT):
	mkdir -p $@

# A test that fails leaves its world behind: that is no news.
run: all
	@ASAN_OPTIONS=detect_leaks=0:handle_segv=2 sh ../run.sh $(notdir $(OUT)) $(OUT) $(TESTS)

clean:
	rm -rf $(OUT)

.PHONY: all run clean
.SECONDARY:
-include $(wildcard $(OUT)/*.d)
