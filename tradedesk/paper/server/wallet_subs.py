"""What a master asks about its sub-accounts: who they are, their money, and from where their keys may be used."""

from tradedesk.paper.accounts import Key
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server import wallet_json, wallet_money
from tradedesk.paper.server.front import Call
from tradedesk.paper.server.keys import change_key
from tradedesk.paper.server.parameters import Parameters, invalid
from tradedesk.paper.server.render import MILLISECOND, Json
from tradedesk.paper.server.wallet_front import WalletFront

_WALLETS = (wallet_money.SPOT, wallet_money.FUTURES)


def _subs(front: WalletFront, call: Call) -> list[str]:
    """The sub-accounts of whoever asks. Raises -4006 if it is one itself."""
    if front.commons.accounts[call.name].master is not None:
        raise Refusal(-4006, "Support main account only.")
    return [account.name for account in front.commons.accounts.values() if account.master == call.name]


def _named(front: WalletFront, call: Call, parameters: Parameters) -> str:
    """The sub-account of the parameter `email`."""
    asked = parameters.must("email")
    for name in _subs(front, call):
        if wallet_json.email(name) == asked:
            return name
    raise Refusal(-4003, "Your input email is invalid.")


def listed(front: WalletFront, call: Call, parameters: Parameters) -> object:
    wanted, frozen = parameters.text("email"), parameters.flag("isFreeze")
    page, limit = parameters.integer("page") or 1, parameters.limit("limit", 1, 200)
    names = [name for name in _subs(front, call) if wanted in (None, wallet_json.email(name)) and not frozen]
    return {
        "subAccounts": [
            {
                "subUserId": front.commons.uids[name],
                "email": wallet_json.email(name),
                "remark": name,
                "isFreeze": False,
                "createTime": front.commons.started // MILLISECOND,
                "isManagedSubAccount": False,
                "isAssetManagementSubAccount": False,
            }
            for name in names[(page - 1) * limit : page * limit]
        ]
    }


def transfer(front: WalletFront, call: Call, parameters: Parameters) -> object:
    """By the master, between any two of the family; whoever is not named is the master."""
    family = {wallet_json.email(name): name for name in (call.name, *_subs(front, call))}
    own = wallet_json.email(call.name)
    emails = [parameters.text(name) or own for name in ("fromEmail", "toEmail")]
    wallets = [parameters.must(name) for name in ("fromAccountType", "toAccountType")]
    client_id = parameters.text("clientTranId")
    asset, amount = parameters.must("asset"), wallet_money.amount_of(parameters)
    parameters.finish()
    if any(email not in family for email in emails):
        raise Refusal(-4003, "Your input email is invalid.")
    for name, wallet in zip(("fromAccountType", "toAccountType"), wallets, strict=True):
        if wallet not in _WALLETS:
            raise invalid(name)
    source, target = ((family[email], wallet) for email, wallet in zip(emails, wallets, strict=True))
    if source == target:
        raise invalid("toEmail")
    kinds = {"from": source[1], "to": target[1]} | ({} if client_id is None else {"clientTranId": client_id[:100]})
    number = wallet_money.relocate(
        front,
        call,
        asset,
        amount,
        source,
        target,
        reference=wallet_money.said(counterparty=target[0], **kinds),
        counter_reference=wallet_money.said(counterparty=source[0], **kinds),
    )
    return {"tranId": number} | ({} if client_id is None else {"clientTranId": client_id})


def history(front: WalletFront, call: Call, parameters: Parameters) -> object:
    """The transfers of the account itself with the others of its family."""
    way, limit = parameters.choice("type", ("1", "2")), parameters.limit("limit", 500, 500)
    rows = wallet_money.with_others(front, call.name, parameters)
    if way is not None:
        rows = [row for row in rows if (row.amount > 0) is (way == "1")]
    return [wallet_json.sub_transfer(row) for row in rows[:limit]]


def made(front: WalletFront, call: Call, parameters: Parameters) -> object:
    """What the master moved, newest first; from one futures wallet to another is not listed, no spot wallet saw it."""
    ends = [(name, parameters.text(name)) for name in ("fromEmail", "toEmail")]
    page, limit = parameters.integer("page") or 1, parameters.limit("limit", 500, 500)
    rows: list[Json] = []
    for name in (call.name, *_subs(front, call)):
        moved = wallet_money.with_others(front, name, parameters)
        rows += [wallet_json.sub_transfer_made(row) for row in moved if wallet_json.is_listed_once(row)]
    rows = [row for row in rows if all(asked in (None, row[end]) for end, asked in ends)]
    rows.sort(key=lambda row: int(str(row["tranId"])), reverse=True)
    return {"result": rows[(page - 1) * limit : page * limit], "totalCount": len(rows)}


# -- where their keys may be used from ------------------------------------------------------------------------------------


def _key(front: WalletFront, call: Call, parameters: Parameters) -> Key:
    name = _named(front, call, parameters)
    key = front.commons.keys.get(parameters.must("subAccountApiKey"))
    if key is None or key.name != name or key.is_revoked:
        raise invalid("subAccountApiKey")
    return key


def addresses(front: WalletFront, call: Call, parameters: Parameters) -> object:
    return _restriction(front, _key(front, call, parameters))


def restrict(front: WalletFront, call: Call, parameters: Parameters) -> object:
    """status 2 with addresses, joined by commas, binds the key to them; status 1 frees it."""
    key = _key(front, call, parameters)
    status, text = parameters.must("status"), parameters.text("ipAddress")
    parameters.finish()
    if status not in ("1", "2") or (status == "2") is (text is None):
        raise invalid("status")
    bound = [each.strip() for each in (text or "").split(",") if each]
    try:
        return _restriction(front, change_key(front.commons, key.api_key, addresses=bound))
    except ValueError:  # what is no address, or a key that may withdraw set free
        raise invalid("status" if text is None else "ipAddress") from None


def _restriction(front: WalletFront, key: Key) -> Json:
    return {
        "ipRestrict": "true" if key.addresses else "false",
        "ipList": list(key.addresses),
        "updateTime": front.commons.now() // MILLISECOND,
        "apiKey": key.api_key,
    }
