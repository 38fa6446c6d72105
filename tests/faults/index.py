"""Which test proves what about each fault of the catalogue (F01 to F90): where to look first, not all there is.

On whole desks and real processes where a test of that kind exists, then the rooms. Every number has at least one; a note
says what of a fault has no place here, and why. `test_index.py` sees to it that every test named here exists.
"""

TESTS: dict[str, tuple[str, ...]] = {
    "F01": (
        "faults/test_F01_requests.py::test_F01_nothing_is_ever_sent_twice",
        "faults/test_F01_requests.py::test_F01_F05_F19_an_order_that_never_arrived_is_unknown_until_nothing_can_arrive_any_more",
        "orders/test_manager_doubt.py::test_F01_a_timeout_leaves_the_order_unknown",
    ),
    "F02": (
        "faults/test_F01_requests.py::test_F02_F03_F04_F05_F06_F19_F20_an_order_that_arrived_is_adopted_and_was_never_called_rejected",
        "orders/test_manager_doubt.py::test_F02_an_order_whose_answer_was_lost_is_adopted_from_the_question",
        "orders/test_manager_doubt.py::test_F02_an_order_whose_answer_was_lost_is_adopted_from_the_stream",
    ),
    "F03": (
        "faults/test_F01_requests.py::test_F02_F03_F04_F05_F06_F19_F20_an_order_that_arrived_is_adopted_and_was_never_called_rejected",
        "orders/test_manager_doubt.py::test_F03_half_an_answer_is_unknown_and_not_rejected",
    ),
    "F04": (
        "faults/test_F01_requests.py::test_F02_F03_F04_F05_F06_F19_F20_an_order_that_arrived_is_adopted_and_was_never_called_rejected",
        "orders/test_manager_doubt.py::test_F04_an_answer_about_another_order_proves_nothing_about_ours",
        "orders/test_manager_doubt.py::test_F04_an_answer_that_contradicts_the_order_blocks_the_account_and_proves_nothing",
    ),
    "F05": (
        "faults/test_F01_requests.py::test_F02_F03_F04_F05_F06_F19_F20_an_order_that_arrived_is_adopted_and_was_never_called_rejected",
        "faults/test_F01_requests.py::test_F01_F05_F19_an_order_that_never_arrived_is_unknown_until_nothing_can_arrive_any_more",
    ),
    "F06": (
        "faults/test_F01_requests.py::test_F02_F03_F04_F05_F06_F19_F20_an_order_that_arrived_is_adopted_and_was_never_called_rejected",
        "orders/test_manager_doubt.py::test_F06_an_answer_after_our_timeout_is_accepted_once",
        "orders/test_manager_doubt.py::test_F06_a_refusal_after_our_timeout_is_accepted",
    ),
    "F07": (
        "faults/test_F01_requests.py::test_F07_a_cancel_that_was_done_and_not_answered_is_sent_once_and_found_out",
        "access/test_egress.py::test_F07_a_request_cut_on_a_warm_connection_is_sent_once",
        "orders/test_manager_doubt.py::test_F07_unknown_order_on_a_cancel_is_a_question_not_a_conclusion",
    ),
    "F08": (
        "access/test_egress.py::test_F08_a_redirect_is_refused_and_nothing_goes_elsewhere",
        "egress/test_egress_proxies.py::test_the_guards_hold_through_a_proxy_too",
    ),
    "F09": (
        "egress/test_egress_proxies.py::test_F09_a_proxy_that_turned_into_something_else_gets_no_byte_of_a_request",
        "egress/test_egress_proxies.py::test_F09_a_proxy_that_hangs_is_named_before_the_request_would_time_out",
        "egress/test_egress_proxies.py::test_F09_a_proxy_that_is_gone_is_named_and_nothing_goes_another_way",
    ),
    "F10": (
        "egress/test_egress_proxies.py::test_F10_rest_and_websocket_both_go_through_the_proxy_and_names_are_resolved_there",
        "access/test_egress.py::test_F10_rest_and_websocket_both_leave_by_the_bound_address",
    ),
    "F11": (
        "egress/test_egress_namespaces.py::test_F11_addresses_of_the_machine_come_and_go_and_no_client_takes_another",
        "access/test_egress.py::test_F11_an_absent_address_opens_no_session",
        "access/test_egress.py::test_F11_an_address_that_vanishes_ends_the_request_and_leaves_by_no_other",
    ),
    "F12": (
        "egress/test_egress_proxies.py::test_F12_a_proxy_that_plays_the_venue_is_found_out_by_its_certificate",
        "egress/test_egress_proxies.py::test_F12_an_https_proxy_must_be_the_one_it_is_named",
        "access/test_egress.py::test_F12_a_host_off_the_list_gets_no_connection",
    ),
    "F13": (
        "faults/test_F28_venues.py::test_F13_a_stream_that_is_open_and_mute_is_left_and_what_it_missed_is_read",
        "accounts/test_worker.py::test_F13_a_stream_that_went_silent_is_taken_for_dead",
    ),
    "F14": (
        "faults/test_F21_orders.py::test_F14_a_fill_that_the_stream_left_out_is_found_by_a_look",
        "venues/test_spot_adapter_on_paper.py::test_the_private_stream_comes_back_by_itself_and_a_restarted_venue_is_asked_anew",
    ),
    "F15": (
        "faults/test_F21_orders.py::test_F15_a_fill_while_the_stream_is_down_is_found_when_it_is_back",
        "accounts/test_worker.py::test_a_lost_stream_stops_new_orders_until_the_account_was_compared_again",
    ),
    "F16": ("faults/test_F28_venues.py::test_F16_a_stream_that_ends_is_begun_anew_and_what_it_missed_is_read",),
    "F17": (
        "faults/test_F17_storms.py::test_F17_twenty_accounts_that_lose_their_venue_together_come_back_by_themselves",
        "venues/test_budgets_adapter.py::test_F17_attempts_to_connect_are_counted_by_exit",
    ),
    "F18": (
        "faults/test_F17_storms.py::test_F18_when_the_connection_dies_with_five_orders_in_flight_each_is_in_doubt_and_none_is_sent_again",
    ),
    "F19": (
        "faults/test_F01_requests.py::test_F02_F03_F04_F05_F06_F19_F20_an_order_that_arrived_is_adopted_and_was_never_called_rejected",
        "faults/test_F01_requests.py::test_F01_F05_F19_an_order_that_never_arrived_is_unknown_until_nothing_can_arrive_any_more",
    ),
    "F20": (
        "faults/test_F01_requests.py::test_F02_F03_F04_F05_F06_F19_F20_an_order_that_arrived_is_adopted_and_was_never_called_rejected",
        "orders/test_manager_doubt.py::test_F20_an_order_called_duplicate_is_asked_about_and_lives",
    ),
    "F21": (
        "faults/test_F21_orders.py::test_F21_an_id_that_was_used_is_never_used_again",
        "orders/test_manager_time_and_ids.py::test_two_ids_are_one_only_in_the_same_microsecond_and_by_the_same_chance",
    ),
    "F22": (
        "faults/test_F01_requests.py::test_F22_a_query_that_runs_behind_concludes_nothing",
        "orders/test_manager_doubt.py::test_F22_a_query_that_does_not_see_the_order_yet_changes_nothing",
        "orders/test_manager_doubt.py::test_F22_a_query_that_lags_behind_an_acknowledged_order_alarms_nobody",
    ),
    "F23": (
        "faults/test_F21_orders.py::test_F23_of_a_cancel_and_replace_both_legs_are_told",
        "orders/test_manager_replaces.py::test_F23_both_legs_done",
        "orders/test_manager_replaces.py::test_F23_neither_leg_done",
    ),
    "F24": (
        "faults/test_F21_orders.py::test_F24_an_amend_in_place_keeps_the_order_its_ids_and_its_place",
        "faults/test_F21_orders.py::test_F24_an_amend_whose_answer_is_lost_is_adopted_and_not_sent_again",
        "faults/test_F21_orders.py::test_F24_an_amend_that_is_lost_leaves_the_order_as_it_was",
    ),
    "F25": (
        "faults/test_F17_storms.py::test_F25_an_order_that_would_trade_with_our_other_account_is_ended_by_the_venue_and_says_why",
        "venues/test_proofs.py::test_F25_an_order_that_self_trade_prevention_ends_is_dead_and_says_why",
    ),
    "F26": (
        "faults/test_budgets_F26.py::test_F26_after_a_429_the_whole_exit_waits_cancels_too",
        "venues/test_budgets_adapter.py::test_F26_a_429_of_one_account_makes_the_other_wait_and_is_no_doubt",
    ),
    "F27": (
        "faults/test_budgets_F26.py::test_F27_a_ban_stops_all_traffic_of_the_exit_and_names_the_accounts",
        "faults/test_budgets_F26.py::test_F27_a_desk_that_is_started_again_within_a_ban_sends_nothing_until_its_end",
        "venues/test_budgets_adapter.py::test_F27_during_a_ban_nothing_is_sent_not_even_a_cancel_a_question_or_a_stream",
    ),
    "F28": (
        "faults/test_F28_venues.py::test_F28_a_key_that_is_revoked_locks_its_account_alone_and_is_not_tried_again",
        "orders/test_manager_placing.py::test_F28_a_refused_key_blocks_the_account",
    ),
    "F29": ("faults/test_F29_rules.py::test_F29_an_instrument_that_stops_trading_and_begins_again",),
    "F30": (
        "faults/test_F29_rules.py::test_F30_an_order_refused_by_a_new_rule_brings_the_rules_once_and_is_not_sent_again",
        "faults/test_F29_rules.py::test_F30_the_ticket_goes_by_the_new_rule",
    ),
    "F31": (
        "faults/test_F21_orders.py::test_F31_an_order_that_the_venue_cancels_is_folded",
        "orders/test_manager_cancels.py::test_F31_an_order_that_the_venue_cancels_of_its_own_accord_is_folded_with_its_reason",
    ),
    "F32": (
        "orders/test_manager_fills.py::test_F32_a_trade_id_is_unique_only_within_its_instrument",
        "orders/test_manager_fills.py::test_F32_a_self_trade_gives_two_fills_with_one_id",
    ),
    "F33": (
        "orders/test_manager_fills.py::test_F33_the_position_counts_after_the_fee_and_an_unknown_fee_is_shown",
        "venues/test_private_stream.py::test_a_fill_has_its_fee_or_says_that_it_is_not_known",
    ),
    "F34": ("faults/test_F28_venues.py::test_F34_a_trade_that_is_undone_shows_as_a_difference_and_no_history_changes",),
    "F35": (
        "faults/test_F28_venues.py::test_F35_after_a_restart_of_the_venue_everything_is_compared_and_nothing_counts_twice",
        "faults/test_F28_venues.py::test_F35_what_a_venue_has_lost_is_shown_and_nothing_is_concluded_or_undone",
    ),
    "F36": (
        "faults/test_F21_orders.py::test_F36_F37_F38_fills_that_come_twice_and_in_the_wrong_order_count_once",
        "orders/test_manager_fills.py::test_F36_a_fill_may_arrive_before_the_ack",
    ),
    "F37": (
        "faults/test_F21_orders.py::test_F36_F37_F38_fills_that_come_twice_and_in_the_wrong_order_count_once",
        "orders/test_manager_fills.py::test_F37_a_fill_told_by_answer_stream_listing_and_reconciliation_counts_once",
    ),
    "F38": (
        "faults/test_F21_orders.py::test_F36_F37_F38_fills_that_come_twice_and_in_the_wrong_order_count_once",
        "orders/test_manager_fills.py::test_F38_partials_out_of_order_are_summed_by_fill_and_never_taken_back",
    ),
    "F39": (
        "faults/test_F01_requests.py::test_F39_unknown_order_on_a_cancel_is_asked_about",
        "orders/test_manager_cancels.py::test_F39_a_cancel_that_loses_to_a_fill_is_refused_quietly",
        "orders/test_manager_cancels.py::test_F39_an_unproven_cancel_of_an_order_that_filled_meanwhile_is_over",
    ),
    "F40": (
        "faults/test_F21_orders.py::test_F40_a_fill_that_is_told_after_the_cancel_counts_once",
        "orders/test_manager_fills.py::test_F40_a_late_fill_moves_the_position_and_leaves_a_dead_order_dead",
        "orders/test_manager_fills.py::test_F40_a_fill_of_an_order_that_was_never_sent_still_counts",
    ),
    "F41": ("orders/test_manager_fills.py::test_F41_an_overfill_is_applied_and_blocks_the_account",),
    "F42": (
        "faults/test_F21_orders.py::test_F42_a_foreign_order_is_shown_counted_and_left_alone",
        "orders/test_manager_fills.py::test_F42_a_foreign_order_is_shown_counted_and_never_cancelled_unasked",
        "orders/test_manager_fills.py::test_F42_a_foreign_fill_moves_the_position_with_a_warning",
    ),
    "F43": (
        "faults/test_F17_storms.py::test_F43_of_a_cancel_of_many_each_leg_ends_as_the_venue_proves_it",
        "faults/test_F17_storms.py::test_F43_a_cancel_of_all_whose_every_answer_is_lost_is_found_out_leg_by_leg",
    ),
    "F44": (
        "faults/test_F21_orders.py::test_F44_a_cancel_of_everything_waits_for_what_is_still_on_its_way",
        "accounts/test_worker.py::test_F44_a_cancel_of_everything_is_about_what_was_given_before_it_and_still_waits",
        "orders/test_manager_cancel_all.py::test_F44_an_order_in_flight_is_swept_too_however_late_it_arrives",
    ),
    "F45": (
        "faults/test_F01_requests.py::test_F45_a_lost_cancel_is_asked_about_and_sent_again",
        "orders/test_manager_cancels.py::test_F45_a_lost_cancel_is_asked_about_and_sent_again",
        "orders/test_manager_cancels.py::test_F45_a_cancel_is_held_to_have_never_arrived_only_after_the_window",
    ),
    "F46": (
        "faults/test_F21_orders.py::test_F46_a_fill_while_an_amend_is_on_its_way_is_as_the_venue_tells",
        "faults/test_F21_orders.py::test_F46_the_amend_of_a_part_filled_order_never_trades_more_than_was_asked",
        "orders/test_manager_amends_in_place.py::test_F46_a_fill_that_races_the_amend_to_its_new_quantity_leaves_the_order_filled",
    ),
    "F47": (
        "faults/test_F17_storms.py::test_F47_a_stop_that_triggers_while_the_desk_is_away_is_found_as_the_order_it_became_and_counts_once",
        "faults/test_F21_orders.py::test_F47_a_foreign_stop_is_shown_and_counted_once",
        "orders/test_manager_fills.py::test_F47_a_stop_that_became_another_order_while_we_were_away_is_linked_and_counts_once",
    ),
    "F48": ("faults/test_F21_orders.py::test_F48_one_account_in_doubt_leaves_the_others_as_they_are",),
    "F49": (
        "faults/test_budgets_F49.py::test_F49_an_order_whose_market_went_while_it_waited_is_denied",
        "faults/test_budgets_F49.py::test_F49_an_order_that_is_still_sound_leaves_however_long_it_waited_within_its_deadline",
        "faults/test_budgets_F49.py::test_F49_an_order_that_did_not_wait_is_not_judged_twice",
    ),
    "F50": (
        "faults/test_F50_market_data.py::test_F50_a_gap_is_shown_refuses_what_needs_a_price_and_heals",
        "marketdata/test_feed_host.py::test_market_data_of_the_paper_exchange_goes_and_comes_back",
    ),
    "F51": (
        "faults/test_F50_market_data.py::test_F51_a_crossed_book_is_shown_refuses_what_needs_a_price_and_heals",
        "marketdata/test_market.py::test_a_crossed_book_is_marked_and_asked_for_until_it_is_none",
    ),
    "F52": (
        "faults/test_F50_market_data.py::test_F52_an_open_socket_that_says_nothing_is_stale_by_its_age",
        "faults/test_F50_market_data.py::test_F52_a_book_that_repeats_old_data_is_stale_though_its_tape_goes_on",
        "marketdata/test_market.py::test_F52_a_book_that_stands_still_under_a_tape_that_goes_on_is_stale",
    ),
    "F53": (
        "faults/test_F50_market_data.py::test_F53_a_snapshot_older_than_the_updates_never_makes_a_book",
        "marketdata/test_market_book.py::test_whenever_a_book_is_joined_it_is_the_venues",
    ),
    "F54": (
        "faults/test_F50_market_data.py::test_F54_a_print_at_a_price_that_cannot_be_is_dropped",
        "faults/test_F50_market_data.py::test_F54_a_book_with_a_number_that_cannot_be_is_not_believed",
        "faults/test_F50_market_data.py::test_F54_the_collar_stands_on_the_last_good_price_while_prints_are_ten_times_off",
    ),
    "F55": (
        "faults/test_F50_market_data.py::test_F55_a_bar_that_jumps_ahead_makes_the_history_be_read_again_and_nonsense_makes_no_bar",
        "ui/test_panes.py::test_F55_a_hole_in_the_candles_is_drawn_as_one",
    ),
    "F56": (
        "faults/test_F50_market_data.py::test_F56_a_flood_of_market_data_is_conflated_and_orders_go_on",
        "marketdata/test_feed_host.py::test_a_flood_is_conflated_at_its_source",
    ),
    "F57": (
        "faults/test_budgets_F57.py::test_F57_a_venue_whose_clock_is_off_refuses_once_and_is_measured_before_the_next",
        "venues/test_budgets_adapter.py::test_F57_the_venues_clock_is_measured_from_when_the_question_leaves_not_from_when_it_began_to_wait",
        "venues/test_outcomes.py::test_F57_a_clock_told_too_slowly_is_not_believed",
    ),
    "F58": (
        "faults/test_budgets_F57.py::test_F58_a_step_of_our_wall_clock_changes_no_stamp_and_no_duration",
        "orders/test_manager_time_and_ids.py::test_F58_a_step_of_the_wall_clock_proves_nothing",
        "orders/test_manager_time_and_ids.py::test_F58_a_step_back_holds_up_no_cancel",
    ),
    "F59": (
        "faults/test_budgets_F57.py::test_F59_after_a_standstill_everything_is_stale_and_compared_before_it_trades",
        "faults/test_budgets_F57.py::test_F59_an_order_that_waited_through_a_standstill_does_not_leave",
        "faults/test_budgets_F57.py::test_F59_a_command_given_before_it_is_judged_by_what_is_known_after_it",
    ),
    "F60": (
        "faults/test_F60_days.py::test_F60_a_days_drawdown_ends_at_midnight_utc_in_every_zone",
        "faults/test_F60_days.py::test_F60_a_clock_set_back_over_midnight_forgets_no_peak",
        "faults/test_F60_days.py::test_F60_an_order_lives_over_midnight_and_its_fill_of_the_day_before_counts_once",
    ),
    "F61": ("journal/test_journal.py::test_F61_a_torn_tail_of_the_log_file_loses_only_its_end",),
    "F62": (
        "journal/test_journal.py::test_F62_a_bad_record_stops_its_account_and_is_named_while_the_others_go_on",
        "journal/test_journal.py::test_F62_nothing_after_a_bad_record_of_an_account_is_believed",
        "journal/test_journal.py::test_F62_no_flipped_byte_of_the_file_passes_for_sound",
    ),
    "F63": (
        "crash/test_disks.py::test_F63_on_a_full_disk_orders_are_denied_cancels_go_and_after_it_heals_all_goes_on",
        "crash/test_disks.py::test_F63_a_desk_killed_on_its_full_disk_comes_back_with_the_exchanges_books",
        "crash/test_disks.py::test_F63_a_disk_without_room_stops_new_orders_until_there_is_room",
    ),
    "F64": (
        "crash/test_kill_disk.py::test_F64_a_kill_needs_no_room_on_the_disk",
        "desk/test_desk.py::test_F64_orders_are_denied_while_the_disk_refuses_and_taken_again_in_a_new_segment",
        "accounts/test_core.py::test_F64_an_order_whose_record_was_refused_has_no_record_even_if_later_ones_are_taken",
    ),
    "F65": (
        "faults/test_F65_disks.py::test_F65_a_disk_that_hangs_holds_up_orders_alone",
        "journal/test_journal.py::test_F65_a_full_queue_refuses_at_once",
        "journal/test_journal.py::test_F65_a_slow_write_is_logged",
    ),
    "F66": (
        "orders/test_manager_time_and_ids.py::test_F66_F67_an_order_of_a_desk_that_the_journal_does_not_know_blocks_the_account_until_somebody_looked",
        "journal/test_journal.py::test_F66_a_second_desk_on_the_same_folder_is_refused_and_told_by_whom",
    ),
    "F67": (
        "faults/test_F65_disks.py::test_F67_an_older_copy_of_the_journal_is_brought_up_to_the_venue_and_nothing_is_sent_again",
        "faults/test_F65_disks.py::test_F67_without_its_journal_a_desk_takes_no_order_of_its_own_for_a_strangers",
        "faults/test_F65_disks.py::test_F67_a_journal_of_a_newer_program_is_not_opened_and_left_as_it_is",
    ),
    "F68": (
        "crash/test_crash.py::test_F68_a_desk_killed_twenty_times_loses_doubles_and_invents_nothing",
        "journal/test_checkpoint.py::test_F68_killed_at_any_step_of_a_new_segment_or_its_checkpoint_nothing_durable_is_lost",
        "journal/test_journal.py::test_F68_a_killed_desk_leaves_all_that_was_durable_and_no_lock",
    ),
    "F69": (
        "accounts/test_supervisor.py::test_F69_a_worker_that_hangs_is_replaced_and_its_order_is_asked_about_and_never_sent_again",
        "accounts/test_supervisor.py::test_a_worker_that_fails_over_and_over_is_given_up_and_says_so",
    ),
    "F70": (
        "faults/test_F70_processes.py::test_F70_an_account_whose_loop_is_blocked_is_named_and_a_halt_takes_hold_all_the_same",
    ),
    "F71": (
        "faults/test_F71_ends.py::test_F71_a_desk_without_a_free_descriptor_goes_on_trading_and_lets_screens_in_again",
        "faults/test_F71_ends.py::test_F71_descriptors_that_run_out_are_told_of_before_the_last",
        "faults/test_F71_ends.py::test_F71_a_million_events_of_a_market_leave_the_desk_as_large_as_it_was",
    ),
    "F72": (
        "faults/test_F71_ends.py::test_F72_a_desk_told_to_go_in_the_middle_of_an_order_closes_its_journal_and_finds_the_order_again",
        "cli/test_watchdog.py::test_orders_are_cancelled_at_a_stop_where_an_account_says_so_and_kept_where_not",
    ),
    "F73": (
        "faults/test_F73_screens.py::test_F73_a_screen_that_crashes_in_a_pane_leaves_its_desk_and_its_orders_alone",
        "faults/test_F73_screens.py::test_F73_the_terminal_is_given_back_with_one_plain_line_and_no_value",
    ),
    "F74": (
        "faults/test_F70_processes.py::test_F74_a_command_that_is_delivered_again_is_applied_once",
        "faults/test_F70_processes.py::test_F74_a_command_that_comes_thirty_seconds_late_is_not_sent",
        "faults/test_F70_processes.py::test_F74_a_cancel_that_overtakes_its_order_is_said_to_have_found_nothing",
    ),
    "F75": (
        "faults/test_F75_operators.py::test_F75_a_fat_finger_is_denied_with_its_reason_and_nothing_leaves",
        "risk/test_gate.py::test_one_side_of_a_book_is_judged_by_the_last_price_and_without_one_nothing_opens",
    ),
    "F76": (
        "ui/test_app_sending.py::test_F76_twenty_enters_and_twenty_f2_send_one_order",
        "ui/test_app_sending.py::test_F76_what_is_pasted_fills_fields_and_sends_nothing",
        "ui/test_app_sending.py::test_F76_a_double_click_chooses_and_sends_nothing",
    ),
    "F77": (
        "faults/test_F75_operators.py::test_F77_a_halt_in_the_middle_of_fifty_orders_ends_with_none_open_and_nothing_sent_after_it",
        "access/test_egress.py::test_F77_a_last_check_that_raises_means_no_byte_was_written",
    ),
    "F78": (
        "orders/test_manager_halts.py::test_F78_a_halt_goes_on_after_a_restart",
        "risk/test_halts.py::test_F78_a_halt_holds_through_a_restart_until_it_is_cleared",
    ),
    "F79": (
        "ui/test_hostile_text.py::test_F79_a_venues_text_is_letters_in_every_pane_and_dialog",
        "ui/test_hostile_text.py::test_F79_markup_is_seen_as_it_came",
    ),
    "F80": (
        "ground/test_log.py::test_F80_control_and_bidi_bytes_do_not_reach_the_file",
        "ground/test_text.py::test_F80_a_character_that_could_steer_a_terminal_is_removed",
    ),
    "F81": (
        "security/test_leak_hunt.py::test_F81_no_file_of_the_day_holds_a_secret",
        "security/test_leak_hunt.py::test_F81_no_event_of_the_day_holds_a_secret",
        "security/test_leak_hunt.py::test_F81_no_command_line_and_no_environment_holds_a_secret",
    ),
    "F82": (
        "access/test_vault.py::test_F82_a_keyring_off_the_allow_list_is_refused_by_name",
        "access/test_vault.py::test_F82_a_keyring_that_does_not_keep_or_delete_the_canary_is_refused",
        "access/test_vault.py::test_F82_without_a_secret_service_the_environment_cannot_bring_in_a_silent_keyring",
    ),
    "F83": (
        "access/test_vault.py::test_F83_a_flipped_byte_anywhere_is_damage_and_never_another_secret",
        "access/test_vault.py::test_F83_a_file_cut_anywhere_is_damage",
        "access/test_vault.py::test_F83_a_file_that_others_may_read_is_refused",
    ),
    "F84": (
        "security/test_fuzz_decoders.py::test_F84_a_reader_gives_what_can_be_kept_or_refuses",
        "security/test_fuzz_decoders.py::test_F84_the_ledger_is_read_or_refused",
        "security/test_fuzz_decoders.py::test_F84_any_text_is_a_value_or_unread",
    ),
    "F85": (
        "security/test_fuzz_decoders.py::test_F85_what_no_honest_venue_sends_is_not_read",
        "access/test_egress.py::test_F85_a_small_gzip_that_grows_is_cut_off_at_the_cap",
        "access/test_egress.py::test_F85_an_answer_at_the_cap_is_read",
    ),
    "F86": ("desk/test_sockets.py::test_a_reader_that_never_reads_is_cut_off_while_others_go_on_without_a_hole",),
    "F87": (
        "faults/test_budgets_F87.py::test_F87_a_cancel_passes_a_hundred_orders_that_wait",
        "venues/test_budgets.py::test_a_cancel_always_finds_room_whatever_else_was_sent",
    ),
    "F88": (
        "faults/test_budgets_F87.py::test_F88_many_accounts_on_one_exit_share_its_budget_the_riskiest_first",
        "venues/test_budgets.py::test_the_riskiest_are_compared_first",
    ),
    "F89": (
        "faults/test_F75_operators.py::test_F89_a_reader_that_never_reads_costs_nobody_an_event_of_an_order",
        "venues/test_budgets.py::test_the_queue_is_bounded_and_cancels_have_one_of_their_own",
    ),
    "F90": (
        "faults/test_F90_alerts.py::test_F90_ten_thousand_rejects_are_one_alert_that_is_told_once",
        "faults/test_F90_alerts.py::test_F90_one_cause_keeps_its_first_moment_its_count_and_its_worst",
        "faults/test_F90_alerts.py::test_F90_what_was_acknowledged_asks_anew_when_it_becomes_worse_and_only_then",
    ),
}

NOTES: dict[str, str] = {
    "F18": "orders go by REST alone, each on a connection of its own; order entry over a socket does not exist here",
    "F25": "the group of self-trade prevention is the venue's; the desk is told of it and does not form it",
    "F31": "Binance spot has no dead man's switch of its own; the desk's watchdog stands in its place (cli/test_watchdog.py)",
    "F34": "the venue tells of a busted trade on no stream and in no list: balances that no fill explains are what shows it",
    "F43": "no batch is ever placed; what has many legs is a cancel of all (here) and a cancel-and-replace (F23)",
    "F47": "the desk places no stops yet; on Binance spot a stop and the order it becomes are one, on other venues they are linked",
    "F48": "blocks are not allocated yet; three accounts' orders side by side are what there is",
    "F74": "commands over the control socket; a broker between desks does not exist yet",
}
