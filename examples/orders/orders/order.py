"""What may happen to an order: `decide` says which events follow from a command, `evolve` applies one."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tandem.aggregates import Id, Rejection, Text

Reason = Annotated[str, Meta(min_length=1, max_length=200)]


class Line(Struct, frozen=True, rename="camel"):
    article: Annotated[str, Meta(min_length=1, max_length=40)]
    quantity: Annotated[int, Meta(ge=1, le=1_000)]
    cents: Annotated[int, Meta(ge=0, le=100_000_000)]


Lines = Annotated[tuple[Line, ...], Meta(min_length=1, max_length=100)]


class Order(Struct, frozen=True, rename="camel"):
    user_id: int
    lines: Lines
    status: Literal["placed", "paid", "shipped", "cancelled"] = "placed"
    reason: str | None = None
    parcel: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status in ("placed", "paid")

    @property
    def cents(self) -> int:
        return sum(line.quantity * line.cents for line in self.lines)


class PlaceOrder(Struct, frozen=True, rename="camel"):
    """Order these articles for a user."""

    user_id: Id
    lines: Lines


class PayOrder(Struct, frozen=True):
    """Pay an order, to the cent."""

    cents: Annotated[int, Meta(ge=0, le=2**53)]


class ShipOrder(Struct, frozen=True):
    """Send what was paid, as this parcel."""

    parcel: Text


class CancelOrder(Struct, frozen=True):
    """Cancel an order that was not shipped yet."""

    reason: Reason


class RefuseOrder(Struct, frozen=True):
    """Cancel an order that nobody can have placed."""

    reason: Reason


class OrderPlaced(Struct, frozen=True, rename="camel"):
    user_id: int
    lines: Lines


class OrderPaid(Struct, frozen=True):
    pass


class OrderShipped(Struct, frozen=True):
    parcel: str


class OrderCancelled(Struct, frozen=True):
    reason: str


Command = PlaceOrder | PayOrder | ShipOrder | CancelOrder | RefuseOrder
Event = OrderPlaced | OrderPaid | OrderShipped | OrderCancelled


def decide(command: Command, order: Order | None) -> Sequence[Event]:
    match command:
        case PlaceOrder():
            return [OrderPlaced(command.user_id, command.lines)]
    assert order is not None
    match command:
        case PayOrder() if order.status == "placed":
            if command.cents != order.cents:
                raise Rejection(f"The order costs {order.cents} cents.", status=422)
            return [OrderPaid()]
        case ShipOrder() if order.status == "paid":
            return [OrderShipped(command.parcel)]
        case CancelOrder() | RefuseOrder() if order.is_open:
            return [OrderCancelled(command.reason)]
    raise Rejection(f"The order is {order.status}.")


def evolve(order: Order | None, event: Event) -> Order:
    match event:
        case OrderPlaced():
            return Order(event.user_id, event.lines)
    assert order is not None
    match event:
        case OrderPaid():
            return Order(order.user_id, order.lines, "paid")
        case OrderShipped():
            return Order(order.user_id, order.lines, "shipped", None, event.parcel)
        case OrderCancelled():
            return Order(order.user_id, order.lines, "cancelled", event.reason)
