"""The product's own flows, told over and over with accidents in them, on vendors in memory.

    story      what people do: file a redemption, sell a card, spend at the checkout   `stories/`
    world      the shop, the base, the account, AWS; the functions and who calls them  `world`
    timeline   who goes on next, in time that is only reckoned                         `timeline`
    effects    every call to the outside, by name                                      `effects`
    gate       where an accident happens at an effect                                  `gate`
    faults     the kinds of accidents                                                  `faults`
    explore    which accidents are tried at which effects                              `explore`
    promises   what must hold at the end, by name                                      `promises`

Nothing of the product is modelled here: `World` hands its flows clients that reach the vendors'
state machines below HTTP and GraphQL, and everything else is the product's.
"""
