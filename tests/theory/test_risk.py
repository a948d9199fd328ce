"""Bias and variance of the distilled risk: closed forms, a plain twin of the measurement, calibrated errors."""

import numpy as np
import pytest
import torch
from scipy import stats

from kdutils import augment, data, models, seeds, theory
from kdutils.errors import UserError
from kdutils.theory import risk

BATCHES, BATCH_SIZE, POOL = 150, 16, 200


@pytest.fixture(scope="module")
def digits() -> data.Dataset:
    return data.load("digits")


@pytest.fixture(scope="module")
def pool(digits) -> torch.Tensor:
    return risk.draw_pool(digits, POOL)


@pytest.fixture(scope="module")
def networks() -> dict[str, models.Network]:
    """Three untrained networks with confident, differing answers: enough to make q vary from image to image."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {name: models.build("tiny", 10, 16).eval() for name in ("teacher", "first", "second")}


@pytest.fixture(scope="module")
def predictors(networks) -> dict[str, models.Network]:
    return {"first": networks["first"], "second": networks["second"], "blind": risk.Blind(10)}


@pytest.fixture(scope="module")
def measured(networks, predictors, digits, pool) -> dict[str, risk.Measured]:
    return risk.measure(networks["teacher"], predictors, digits, pool, batches=BATCHES, batch_size=BATCH_SIZE)


@pytest.fixture
def scheme():
    """Register schemes for one test."""
    names = []

    def register(name, fn):
        augment.register(name, name, fn)
        names.append(name)
        return name

    yield register
    for name in names:
        del augment.SCHEMES[name]


def test_the_pool_is_fixed_by_its_seed_and_drawn_without_repeats(digits):
    first, again, other = (risk.draw_pool(digits, POOL, seed=seed) for seed in (0, 0, 1))
    assert first.shape == (POOL, 3, 16, 16)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    test = risk.draw_pool(digits, len(digits.test), "test")
    assert len(test.flatten(1).unique(dim=0)) > 0.95 * len(test)  # crops may make two alike; repeats would lose a third


def test_every_number_is_that_of_a_plain_scheme_by_scheme_twin(networks, predictors, measured, digits, pool):
    """q and u of the second batch, from the networks as they are, with nothing shared between schemes."""
    step, settings = 1, augment.settings(digits)
    index = torch.randint(POOL, (BATCHES, BATCH_SIZE), generator=seeds.generator(0, "batches"))[step]
    x = pool[index]
    with torch.no_grad():
        for name, predictor in {**predictors, "teacher": networks["teacher"]}.items():
            for column, scheme in enumerate(map(augment.find, augment.NINE)):
                generator = seeds.generator(0, scheme.fn.__name__, step)
                x_prime = scheme(x, generator, settings, runs=2 if scheme.pick else 1).x
                if scheme.pick:
                    picker = predictor if scheme.pick == "student" else networks["teacher"]
                    entropy = augment.entropy(picker(digits.normalise(x_prime)))
                    x_prime = x_prime[entropy.sort(descending=True).indices[:BATCH_SIZE].sort().values]
                both = digits.normalise(torch.cat([x.float(), x_prime.float()]))
                p = networks["teacher"](both).softmax(1)
                q = -(p * predictor(both).softmax(1).log()).sum(1).numpy()
                assert measured[name].x[step] == pytest.approx(q[:BATCH_SIZE], rel=1e-4)
                assert measured[name].x_prime[step, column] == pytest.approx(q[BATCH_SIZE:], rel=1e-4)
                assert measured[name].u[step, column] == pytest.approx(p.mean(0).numpy(), rel=1e-4)


def test_identity_is_the_proposition_with_pairs(measured):
    """No bias, and the variance of Eq. 7 for pairs of equal elements, within the standard error."""
    n = 640
    for found in measured.values():
        identity = risk.bias_and_variance(found, n).iloc[0]
        expected = theory.variance_of_mean(found.pool.var(), theory.pairs(n, 1.0))
        assert identity.bias == pytest.approx(0, abs=1e-6)
        assert abs(identity.variance - expected) < 3.5 * identity.variance_se
        assert identity.variance_se < 0.2 * expected
        assert identity.independent == pytest.approx(expected / 2, rel=0.05)


def test_schemes_whose_answer_is_known(scheme, networks, digits, pool):
    """A permuted batch changes nothing; fresh images halve the variance; a constant leaves a quarter, and a bias."""
    schemes = (
        "identity",
        scheme("permuted", lambda x: x.roll(1, 0)),
        scheme("fresh", lambda x, draw: pool[torch.randint(POOL, (len(x),), generator=draw.generator)]),
        scheme("constant", lambda x: torch.zeros_like(x)),
    )
    found = risk.measure(networks["teacher"], {}, digits, pool, schemes, batches=600, batch_size=8)["teacher"]
    table = risk.bias_and_variance(found).set_index("scheme")
    assert table.variance_ratio["permuted"] == pytest.approx(1, rel=1e-5)
    assert abs(table.bias["fresh"]) < 3.5 * table.bias_se["fresh"]
    assert abs(table.variance_ratio["fresh"] - 1 / 2) < 3.5 * table.variance_ratio_se["fresh"] < 0.2
    assert table.variance_ratio["constant"] == pytest.approx(1 / 4, rel=1e-5)
    constant_q = found.x_prime[0, 3, 0]
    assert abs(table.bias["constant"] - (constant_q - found.pool.mean()) / 2) < 3.5 * table.bias_se["constant"]
    assert risk.t_stddev(found).t_stddev[3] == pytest.approx(
        theory.CONSTANT_IMAGE_FACTOR * risk.t_stddev(found).t_stddev[0], rel=1e-4
    )


def test_the_parts_add_up_to_the_gap_itself(measured):
    """E[(R_S - R_D)^2] from single batches as sequences, with R_D exact: no use of the parts."""
    for found in measured.values():
        table = risk.bias_and_variance(found, n=2 * BATCH_SIZE)
        risks = (found.x.mean(1, keepdims=True) + found.x_prime.mean(2)) / 2
        squared = (risks - found.pool.mean()) ** 2
        error = squared.std(axis=0, ddof=1) / np.sqrt(BATCHES)
        assert (np.abs(table.gap - squared.mean(axis=0)) < 3 * error).all()
        assert table.gap.to_numpy() == pytest.approx((table.variance + table.squared_bias).to_numpy())
        assert table.variance.to_numpy() == pytest.approx((table.independent + table.covariance).to_numpy())


def test_the_variance_falls_with_the_length_and_the_bias_stays(measured):
    short, long = (risk.bias_and_variance(measured["first"], n) for n in (320, 640))
    assert long.variance.to_numpy() == pytest.approx(short.variance.to_numpy() / 2)
    assert long.bias.equals(short.bias)
    assert long.squared_bias.equals(short.squared_bias)


def test_a_blind_predictors_variance_is_a_weighting_of_u(measured):
    """R_S = -log(f)' u when f does not look: Var R_S = a' Cov(u) a."""
    found, n = measured["blind"], 640
    a = -risk.Blind(10).answer.double().log_softmax(0).numpy()
    variances = [a @ np.cov(u.T) @ a * 2 * BATCH_SIZE / n for u in np.moveaxis(found.u, 1, 0)]
    assert risk.bias_and_variance(found, n).variance.to_numpy() == pytest.approx(np.array(variances), rel=1e-6)


def test_t_stddev_of_identity_is_the_spread_over_the_pool(networks, measured, digits, pool):
    with torch.no_grad():
        p = networks["teacher"](digits.normalise(pool)).softmax(1).numpy()
    table = risk.t_stddev(measured["first"], k=640)
    assert abs(table.t_stddev[0] - (p.std(axis=0) / np.sqrt(320)).mean()) < 3 * table.t_stddev_se[0]
    assert table.t_stddev_se[0] < 0.1 * table.t_stddev[0]


def test_compare_puts_all_predictors_and_both_statistics_into_one_table(measured):
    table = risk.compare(measured, n=320).set_index(["predictor", "scheme"])
    assert list(dict.fromkeys(table.index.get_level_values(0))) == ["first", "second", "blind", "teacher"]
    for name, found in measured.items():
        rows = table.loc[name]
        assert rows["true_risk"].unique() == pytest.approx([found.pool.mean()])
        expected = risk.bias_and_variance(found, 320).set_index("scheme")
        assert rows[expected.columns].equals(expected)
        assert rows["t_stddev"].tolist() == risk.t_stddev(found, 320)["t_stddev"].tolist()


def test_the_standard_errors_are_those_of_repeated_measurements():
    """400 measurements of 40 batches whose truth is known: the errors stated fit the scatter, the means the truth."""
    rng, tables, unbiased = np.random.default_rng(0), [], []
    for _ in range(400):
        x = rng.normal(1, 1, size=(40, 8))
        noise = rng.normal(size=x.shape)
        x_prime = np.stack([x, 0.5 * x + 1 + noise, 0.5 * x + 0.5 + noise], axis=1)
        found = risk.Measured(("copy", "shifted", "unbiased"), rng.normal(1, 1, size=5000), x, x_prime, np.empty(0))
        table = risk.bias_and_variance(found, n=16).set_index("scheme")
        tables.append(table.loc["shifted"])
        unbiased.append(table.squared_bias["unbiased"])
    assert abs(np.mean(unbiased)) < 4 * stats.sem(unbiased)  # noise is not taken for bias
    truth = {
        "variance": 13 / 128,
        "bias": 0.25,
        "squared_bias": 1 / 16,
        "gap": 13 / 128 + 1 / 16,
        "independent": 9 / 128,
    }
    for column in (*truth, "covariance", "variance_ratio"):
        values = np.array([table[column] for table in tables])
        stated = np.mean([table[f"{column}_se"] for table in tables])
        assert stated == pytest.approx(values.std(ddof=1), rel=0.15), column
        if column in truth:
            assert abs(values.mean() - truth[column]) < 4 * stats.sem(values), column


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(1).gamma(1, size=(50, 3))
    mean, se = risk.jackknife(values, lambda means: means)
    assert mean == pytest.approx(values.mean(axis=0))
    assert se == pytest.approx(stats.sem(values, axis=0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda digits: risk.draw_pool(digits, 1001), "has 1000"),
        (lambda digits: risk.draw_pool(digits, 10, "val"), "Choose one of: train, test"),
        (lambda digits: risk.measure(None, {}, digits, None, schemes=["cutmixx"]), "Did you mean 'cutmix'"),
        (lambda digits: risk.measure(None, {}, digits, None, batches=2), "at least 3 batches"),
    ],
)
def test_a_bad_request_is_refused_before_any_work(digits, call, message):
    with pytest.raises(UserError, match=message):
        call(digits)
