"""The figures of one real recording, as `fit.measure` returned them. Made by the program, not by hand."""

from tradedesk.paper.fit import Band, Fit

BTCUSDT = Fit(
    source="Binance spot BTCUSDT, 2024-08-08 23:54:14 to 2024-08-09 00:05:04 UTC, from the examples of nkaz001/hftbacktest",
    tick="0.01",
    lot="0.00001",
    price=6_183_763,
    seconds=650.4,
    one_tick_share=0.9929,
    wide_ns=2_503_062,
    touch_lots=(1, 9, 13, 797, 13_515, 114_177, 290_134, 424_757, 499_634, 662_474, 1_024_265, 1_156_208),
    takes_per_s=11.36,
    take_gap_ns=(500, 1_007_700, 1_223_200, 1_574_299, 3_733_900, 20_133_800, 102_854_807, 257_016_097, 400_610_344, 748_226_533, 1_210_283_750, 2_014_253_432),
    take_lots=(1, 9, 9, 16, 35, 339, 2_000, 10_785, 25_057, 94_251, 324_944, 1_373_194),
    take_same_side=0.71,
    moves_per_s=1.13,
    move_ticks=(1, 1, 1, 2.5, 138, 277, 492, 800, 1_019, 2_111, 4416.5, 6_829),
    sd_10s=2_595,
    bands=(
        Band(near=0, far=1, adds_per_s=9.84, levels=2, lots=(1, 10, 28, 239, 4_863, 17_265, 49_190, 149_777, 276_333, 538_289, 738_562, 844_942)),
        Band(near=1, far=10, adds_per_s=1.09, levels=1, lots=(2, 9, 9, 9, 39, 543, 4_940, 30_184, 32_445, 69_187, 176_394, 248_772)),
        Band(near=10, far=100, adds_per_s=2.07, levels=2.3, lots=(9, 9, 9, 9, 82, 6_470, 32_323, 32_438, 36_182, 97_215, 148_586, 241_769)),
        Band(near=100, far=1_000, adds_per_s=20.22, levels=31.2, lots=(1, 9, 9, 13, 101, 5_627, 21_812, 32_477, 53_893, 114_566, 185_743, 1_015_304)),
        Band(near=1_000, far=10_000, adds_per_s=65.91, levels=418.5, lots=(1, 9, 38, 115, 1_008, 4_997, 19_441, 58_315, 68_749, 187_200, 434_669, 609_247)),
        Band(near=10_000, far=40_000, adds_per_s=93.16, levels=1817.9, lots=(1, 9, 24, 59, 908, 4_982, 15_859, 49_668, 73_159, 216_403, 550_780, 1_001_482)),
    ),
)  # fmt: skip
