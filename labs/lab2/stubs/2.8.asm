; SPDX-License-Identifier: MIT
global switch_stacks
switch_stacks:
	ud2
